"""What several test modules share: settings, and the lines that a process would print."""

import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings as hypothesis_settings

from app.log_output import LogOutput
from app.logs import configure_logs
from app.settings import Settings

# A time limit for each example would only measure how busy the machine is.
hypothesis_settings.register_profile("unit", deadline=None)
hypothesis_settings.load_profile("unit")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a skipped test fail where CI is set: there, what a test needs is to be installed."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
    return report


class Lines:
    """The lines that have been printed so far."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def raw(self) -> list[bytes]:
        """Each line as it was printed; the text after the last line end is one, too, so that none goes unseen."""
        lines = self.path.read_bytes().split(b"\n")
        assert lines.pop() == b""
        return lines

    @property
    def json(self) -> list[dict[str, Any]]:
        """Each line as the JSON object that it must be."""
        return [json.loads(line) for line in self.raw]

    @property
    def only(self) -> dict[str, Any]:
        """The one line."""
        (line,) = self.json
        return line


@pytest.fixture
def make_settings() -> Callable[..., Settings]:
    """Make settings by default, with the given changes."""
    return lambda **changes: replace(Settings.from_environ({}, lambda: 1), **changes)


@pytest.fixture
def configured_logs(tmp_path: Path) -> Iterator[Callable[..., Lines]]:
    """Configure the logs of this process into a file; what that changes is put back after the test."""
    root = logging.getLogger()
    before = (sys.excepthook, threading.excepthook, sys.unraisablehook, sys.stdout, sys.stderr)
    root_before = (root.handlers, root.level)
    path = tmp_path / "stdout"
    with path.open("w") as stream:

        def configure(level: str = "debug", log_format: str = "json") -> Lines:
            configure_logs(level, log_format, LogOutput(stream))
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
