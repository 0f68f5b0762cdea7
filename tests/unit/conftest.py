"""Settings, and the lines that a process would print."""

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from app.observability import logs
from app.observability.captured_output import capture_output
from app.observability.log_output import LogOutput
from app.observability.logs import configure_logs
from app.settings import Settings
from tests.support.log_lines import Lines


@pytest.fixture
def make_settings() -> Callable[..., Settings]:
    """Make settings by default, with the given changes."""
    return lambda **changes: replace(Settings.from_environ({}), **changes)


@pytest.fixture
def configured_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Lines]]:
    """Configure the logs of this process into a file; what that changes is put back after the test."""
    monkeypatch.setattr(logs, "_emitter", None)
    root = logging.getLogger()
    before = (sys.excepthook, threading.excepthook, sys.unraisablehook, sys.stdout, sys.stderr)
    root_before = (root.handlers, root.level)
    path = tmp_path / "stdout"
    with path.open("w") as stream:

        def configure(level: str = "debug", log_format: str = "json") -> Lines:
            configure_logs(level, log_format, LogOutput(stream), {})
            capture_output()
            return Lines(path)

        try:
            yield configure
        finally:
            sys.excepthook, threading.excepthook, sys.unraisablehook, sys.stdout, sys.stderr = before
            logging.captureWarnings(False)
            root.handlers, root.level = root_before
            structlog.reset_defaults()


@pytest.fixture
def log_lines(configured_logs: Callable[..., Lines]) -> Lines:
    """Every line that is logged during the test, as JSON."""
    return configured_logs()
