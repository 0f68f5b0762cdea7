"""The worker: when it stops by itself."""

import os
import time
from collections.abc import Callable, Iterator

import pytest
from gunicorn.config import Config

from app.worker import Worker


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.levels: list[str] = []

    def info(self, *_: object) -> None:
        """Keep the level."""
        self.levels.append("info")

    def error(self, *_: object) -> None:
        """Keep the level."""
        self.levels.append("error")


@pytest.fixture
def make_worker() -> Iterator[Callable[..., Worker]]:
    """Make a worker that has not been started."""
    made: list[Worker] = []

    def make(ppid: int, max_requests: int = 0) -> Worker:
        config = Config()
        config.set("max_requests", max_requests)
        made.append(Worker(1, ppid, [], None, 30, config, Log()))
        return made[-1]

    yield make
    for worker in made:
        worker.tmp.close()


def test_a_worker_stops_after_its_last_request(make_worker: Callable[..., Worker]) -> None:
    """After `max_requests` a worker stops, and says so once, however many requests it still has to end."""
    worker = make_worker(os.getppid(), max_requests=2)
    alive = []
    for _ in range(3):
        worker._count()  # noqa: SLF001 - what the event loop calls
        alive.append(worker.alive)
    assert ([True, False, False], ["info"]) == (alive, worker.log.levels)


@pytest.mark.parametrize(("is_orphan", "expected"), [(False, (True, [])), (True, (False, ["error"]))])
def test_a_worker_stops_without_its_master(
    make_worker: Callable[..., Worker], is_orphan: bool, expected: tuple[bool, list[str]]
) -> None:
    """A worker whose master has died, which nobody could stop any more, stops."""
    worker = make_worker(-1 if is_orphan else os.getppid())
    worker._heartbeat()  # noqa: SLF001 - what the event loop calls
    assert expected == (worker.alive, worker.log.levels)


def test_a_worker_has_a_heartbeat_before_its_first_turn(make_worker: Callable[..., Worker]) -> None:
    """One that hangs from the start is noticed: on the clock of the master, a new file would be of the future."""
    assert make_worker(os.getppid()).tmp.last_update() <= time.monotonic()
