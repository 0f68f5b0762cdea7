"""The turns of the application: how long they may be put off."""

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from app.serving.http import application_turns
from app.serving.http.application_turns import ApplicationTurns
from app.serving.http.limits import Limits
from app.serving.http.work_queue import WorkQueue

if TYPE_CHECKING:
    from app.serving.http.connection import Connection


@pytest.mark.parametrize(
    ("seconds", "expected"), [pytest.param(0.02, 5, id="a slow view"), pytest.param(0.006, 0, id="a quick one")]
)
def test_clients_that_never_stop_coming(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch, seconds: float, expected: int
) -> None:
    """After a slow view, connections that are being opened come first, but only for as long as a turn takes."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(application_turns, "time", SimpleNamespace(monotonic=lambda: clock.now))
    queue = WorkQueue(Limits(100), lambda _: None)
    passed: list[int] = []

    def serve(_connection: "Connection") -> None:
        clock.now += seconds
        passed.append(0)
        if len(passed) == 3:
            loop.stop()

    def open_one() -> bool:
        clock.now += 0.00101
        passed[-1] += 1
        return True

    turns = ApplicationTurns(loop, queue, (), serve, open_one)
    for _ in range(3):
        queue.put(cast("Connection", cast("Any", object())))
    turns.schedule()
    loop.run_forever()
    assert [expected, expected, 0] == passed
