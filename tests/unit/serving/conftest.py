"""What the processes of a server share, with nothing started."""

import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import values

from app.observability.scoreboard import Scoreboard, scoreboard
from app.observability.trace_settings import TraceSettings
from app.serving.hooks import LOGGERS, Hooks
from app.serving.http.limits import Limits
from app.settings import Settings
from tests.support.service import free_ports


@pytest.fixture
def ports() -> dict[str, str]:
    """Find two ports that are free."""
    return dict(zip(("PORT", "METRICS_PORT"), map(str, free_ports(2)), strict=True))


@pytest.fixture
def unchanged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put back what a server changes in its process: metrics, slots, loggers, signals, environment."""
    for logger in map(logging.getLogger, LOGGERS):
        monkeypatch.setattr(logger, "handlers", [])
        monkeypatch.setattr(logger, "propagate", True)
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setattr(scoreboard, "slot", 0)
    monkeypatch.setattr(os, "register_at_fork", lambda **_: None)
    monkeypatch.setattr(scoreboard, "_cells", Scoreboard()._cells)  # noqa: SLF001 - a fresh one, for all modules that have it
    for name in ("PROMETHEUS_MULTIPROC_DIR", "SERVER_SOFTWARE", "WEB_CONCURRENCY"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


@pytest.fixture
def make_hooks(
    unchanged: None,  # noqa: ARG001 - in the end
    make_settings: Callable[..., Settings],
    ports: dict[str, str],
    tmp_path: Path,
) -> Iterator[Callable[..., Hooks]]:
    """Make what the processes share."""
    made: list[Hooks] = []

    def make(slots: int | None = None, trace_settings: TraceSettings | None = None, **changes: Any) -> Hooks:
        numbers = {name.lower(): int(port) for name, port in ports.items()}
        settings = make_settings(**{"bind": ("127.0.0.1",), "workers": 2, **numbers} | changes)
        made.append(Hooks(settings, Limits(settings.max_body_bytes), tmp_path, slots, trace_settings=trace_settings))
        return made[-1]

    yield make
    for hooks in made:
        hooks.metrics_server.stop()
        hooks.metric_files.remove()


@pytest.fixture
def taken_port() -> Iterator[str]:
    """Listen on a port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname()[1])
