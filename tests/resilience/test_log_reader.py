"""The reader of the log stops, leaves, or has no more room for it, under load: everything is served and counted."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.support.load import Load
from tests.support.pipe import MOST_ANNOUNCEMENTS, Pipe
from tests.support.scraping import REQUESTS, Scrape, scrape
from tests.support.service import Service, running, wait_until

DROPPED = "log_lines_dropped_total"
ANSWERS = 2000


def counts(metrics: Scrape) -> tuple[int, int]:
    """Return how many sums have been answered, and how many lines dropped."""
    answered = metrics.samples[f'{REQUESTS}{{method="POST",route="/",status="200"}}']
    return int(answered), int(metrics.samples[DROPPED])


def under_load(service: Service, happen: Callable[[], None]) -> Load:
    """Let something happen while sixteen clients ask, and let them ask on."""
    load = Load(service.port)
    with load.running():
        wait_until(lambda: len(load.answers) > ANSWERS, "there is a load")
        happen()
        begun = len(load.answers)
        wait_until(lambda: len(load.answers) > begun + ANSWERS, "the load goes on")
    assert ([], {}, {200}) == (load.refused, load.lost, set(load.answers.values()))
    return load


def wait_until_dropped(service: Service) -> None:
    """Wait until a line has been dropped."""
    wait_until(lambda: counts(scrape(service))[1] > 0, "lines are dropped")


def test_a_reader_that_stops_for_a_while(output: Path) -> None:
    """Lines are dropped while it stands still; each answer is counted, and has a line or is counted as dropped."""
    with closing(Pipe()) as pipe:
        with running(output, stdout=pipe.writing) as service:
            pipe.close_writing()

            def read_on() -> None:
                wait_until_dropped(service)
                pipe.read_on()

            load = under_load(service, read_on)
            answered, dropped = counts(scrape(service))
            assert service.stop() == 0
        lines = pipe.lines()
    announced = sum(line["lines"] for line in lines if line["event"] == "log lines dropped")
    assert (len(load.answers), dropped) == (answered, announced)
    written = sum(line["event"] == "request" for line in lines)
    assert 0 <= dropped + written - answered <= MOST_ANNOUNCEMENTS
    print({"answered": answered, "dropped": dropped})  # noqa: T201


def test_a_reader_that_leaves(output: Path) -> None:
    """From then on each line is dropped, and each answer is counted."""
    end, writing = os.pipe()
    with running(output, stdout=writing) as service:
        os.close(writing)

        def leave() -> None:
            os.close(end)
            wait_until_dropped(service)

        load = under_load(service, leave)
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
            load = under_load(service, lambda: None)
            answered, dropped = counts(scrape(service))
    finally:
        os.close(full)
    assert len(load.answers) == answered == dropped - before
    print({"answered": answered})  # noqa: T201
