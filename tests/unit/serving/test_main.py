"""The command `python app/app.py`."""

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from app.serving import main as module
from app.serving import server, start
from app.serving.hooks import Hooks
from app.serving.main import main
from app.settings import VARIABLES

if TYPE_CHECKING:
    from tests.support.log_lines import Lines


@pytest.fixture
def lines(configured_logs: Callable[..., "Lines"], monkeypatch: pytest.MonkeyPatch) -> Iterator["Lines"]:
    """Read what the command prints."""
    lines = configured_logs()
    monkeypatch.setenv("LOG_FORMAT", "json")
    with lines.path.open("a") as stream:
        monkeypatch.setattr(module, "standard_output", lambda _: stream)
        yield lines


def test_arguments_are_not_accepted(lines: "Lines") -> None:
    """An argument ends the start with 64 and one line that names the variables."""
    assert 64 == main(["--port", "80"])
    line = lines.only
    assert "critical" == line["level"]
    assert f"no arguments are accepted; set environment variables instead: {', '.join(VARIABLES)}" == line["event"]


def test_the_server_runs(make_hooks: Callable[..., Hooks], monkeypatch: pytest.MonkeyPatch) -> None:
    """The server runs with what was prepared, and gunicorn finds a number of workers that it understands."""
    hooks = make_hooks(workers=7)
    ran: list[tuple[Any, ...]] = []

    class Recorded:
        """A server that notes what it is made of."""

        def __init__(self, *arguments: Any) -> None:
            ran.append(arguments)

        def run(self) -> None:
            """Note the environment."""
            ran.append((os.environ["WEB_CONCURRENCY"],))

    monkeypatch.setattr(start, "_prepared", hooks)
    monkeypatch.setattr(server, "Server", Recorded)
    assert 0 == main([], timeout=3)
    assert [(hooks, {"timeout": 3}), ("7",)] == ran
