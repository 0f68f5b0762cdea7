"""Whoever reads the log stops, leaves, or has no more room for it, under load: everything is served and counted."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from load import Load
from scraping import REQUESTS, Scrape, scrape
from service import LIMIT_SECONDS, Service, running, wait_until

pytestmark = pytest.mark.faults

DROPPED = "log_lines_dropped_total"
ANSWERS = 2000
ANNOUNCEMENTS = 10


class Reader:
    """Somebody who reads the log from a pipe, stops, and goes on."""

    def __init__(self) -> None:
        self.end, self.writing = os.pipe()
        self.goes_on = Event()
        self.goes_on.set()
        self.text = b""
        self.thread = Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while data := os.read(self.end, 65536):
            self.text += data
            self.goes_on.wait(LIMIT_SECONDS)
        os.close(self.end)

    def events(self) -> list[dict[str, Any]]:
        """Wait for the end of the log, and return all lines; each must be whole."""
        self.thread.join(LIMIT_SECONDS)
        return [json.loads(line) for line in self.text.splitlines()]


def counts(metrics: Scrape) -> tuple[int, int]:
    """Return how many sums have been answered, and how many lines dropped."""
    answered = metrics.samples[f'{REQUESTS}{{method="POST",route="/",status="200"}}']
    return int(answered), int(metrics.samples[DROPPED])


def under_load(service: Service, begin: Callable[[], object], until: Callable[[], object]) -> Load:
    """Let something begin while sixteen clients ask, and let them ask on until something is so."""
    load = Load(service.port)
    with load.running():
        wait_until(lambda: len(load.answers) > ANSWERS, "there is a load")
        begin()
        wait_until(until, "it has come to that")
        begun = len(load.answers)
        wait_until(lambda: len(load.answers) > begun + ANSWERS, "the load goes on")
    assert ([], {}, {200}) == (load.refused, load.lost, set(load.answers.values()))
    return load


def test_a_reader_that_stops_for_a_while(output: Path) -> None:
    """Lines are dropped while nobody reads; each answer is counted, and has a line or is counted as dropped."""
    reader = Reader()
    with running(output, stdout=reader.writing) as service:
        os.close(reader.writing)
        load = under_load(service, reader.goes_on.clear, lambda: counts(scrape(service))[1] > 0)
        reader.goes_on.set()
        answered, dropped = counts(scrape(service))
        assert service.stop() == 0
    events = reader.events()
    announced = sum(line["lines"] for line in events if line["event"] == "log lines dropped")
    assert (len(load.answers), dropped) == (answered, announced)
    written = sum(line["event"] == "request" for line in events)
    # Where a line is dropped and a shorter one finds room, it is announced: that announcement may be dropped as well.
    assert 0 <= dropped + written - answered <= ANNOUNCEMENTS
    print({"answered": answered, "dropped": dropped})  # noqa: T201


def test_a_reader_that_leaves(output: Path) -> None:
    """From then on each line is dropped, and each answer is counted."""
    end, writing = os.pipe()
    with running(output, stdout=writing) as service:
        os.close(writing)
        load = under_load(service, lambda: os.close(end), lambda: counts(scrape(service))[1] > 0)
        answered, dropped = counts(scrape(service))
    assert len(load.answers) == answered
    assert ANSWERS <= dropped <= answered
    print({"answered": answered, "dropped": dropped})  # noqa: T201


def test_a_device_without_room(output: Path) -> None:
    """Where no line has any room, each answer is counted, and each line as dropped."""
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with running(output, stdout=full) as service:
            before = counts(scrape(service))[1]
            load = under_load(service, lambda: None, lambda: True)
            answered, dropped = counts(scrape(service))
    finally:
        os.close(full)
    assert len(load.answers) == answered == dropped - before
    print({"answered": answered})  # noqa: T201
