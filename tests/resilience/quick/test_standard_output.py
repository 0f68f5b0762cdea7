"""Standard output without a reader, full, or closed: requests are served, and no loss goes unseen."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support import example
from tests.support.http_client import Client, exchange, get, post
from tests.support.pipe import MOST_ANNOUNCEMENTS, Pipe
from tests.support.scraping import ANSWERED, scrape
from tests.support.service import running, wait_until

DROPPED = "log_lines_dropped_total"

# A pipe takes 1 MiB: the lines of some 3,000 requests.
MORE_THAN_A_PIPE_TAKES = 4000


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Make a pipe without a reader so far."""
    with closing(Pipe()) as pipe:
        yield pipe


def ask(port: int, times: int) -> None:
    """Ask several times on one connection, and get each answer."""
    with Client(port) as client:
        assert {example.ANSWER} == {client.ask(example.REQUEST).body for _ in range(times)}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_reader_that_stops_does_not_stop_the_service(output: Path, pipe: Pipe, workers: int) -> None:
    """Requests, probes and scrapes are answered; what is missing in the log is counted, and announced later."""
    with running(output, stdout=pipe.writing, WEB_CONCURRENCY=workers) as service:
        pipe.close_writing()
        ask(service.port, MORE_THAN_A_PIPE_TAKES)
        for path in ("/healthz", "/readyz"):
            assert get(service.port, path).status == 200
        metrics = scrape(service)
        counted = metrics.samples[ANSWERED]
        dropped = metrics.samples[DROPPED]
        assert (MORE_THAN_A_PIPE_TAKES, True) == (counted, 0 < dropped < counted)
        pipe.read_on()
        assert service.stop() == 0  # A process that has dropped lines says so with the next one.
    lines = pipe.lines()
    written = sum(line["event"] == "request" for line in lines)
    assert 0 <= written + dropped - counted <= MOST_ANNOUNCEMENTS
    assert dropped == sum(line["lines"] for line in lines if line["event"] == "log lines dropped")


def test_a_stop_without_a_reader(output: Path, pipe: Pipe) -> None:
    """SIGTERM ends the service although not one more line can be written."""
    with running(output, stdout=pipe.writing) as service:
        ask(service.port, MORE_THAN_A_PIPE_TAKES)
        assert service.stop() == 0
    pipe.close_writing()


def test_a_full_device(output: Path) -> None:
    """Where no line can be written from the start, the service runs all the same, and each line is counted."""
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with running(output, stdout=full) as service:
            before = scrape(service).samples[DROPPED]
            ask(service.port, 10)
            wait_until(lambda: scrape(service).samples[DROPPED] == before + 10, "each line is counted")
    finally:
        os.close(full)


def close_streams() -> None:
    """Close all three standard streams of a process."""
    for descriptor in range(3):
        os.close(descriptor)


def test_closed_from_the_start(output: Path) -> None:
    """A service that is started without any standard stream serves, counts each line, and writes into no other file."""
    with running(output, preexec=close_streams) as service:
        before = scrape(service).samples[DROPPED]
        ask(service.port, 10)
        assert exchange(service.port, post(example.BAD_BODY, target=example.ROUTE)).status == example.BAD_STATUS
        wait_until(lambda: scrape(service).samples[DROPPED] == before + 11, "each line is counted")
