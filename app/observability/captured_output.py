"""What a process prints, and what it dies of, as log lines."""

import io
import sys
import threading
from types import TracebackType

import structlog


def capture_output() -> None:
    """Log from here on what is printed on the standard streams, and what no one catches. For a server alone."""
    sys.excepthook = _log_crash
    threading.excepthook = _log_thread_crash
    sys.unraisablehook = lambda crash: _log_crash(crash.exc_type, crash.exc_value, crash.exc_traceback)
    sys.stdout, sys.stderr = _Printed("stdout"), _Printed("stderr")


class _Printed(io.TextIOBase):
    """Stands in for a standard stream: what is printed on it becomes log lines."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.strip():
                structlog.get_logger().warning(line, stream=self._name)
        return len(text)

    def flush(self) -> None:
        if self._rest:
            self.write("\n")


def _log_thread_crash(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_type is not SystemExit:
        _log_crash(crash.exc_type, crash.exc_value, crash.exc_traceback)


def _log_crash(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    structlog.get_logger().critical("crash", error=kind.__name__, exc_info=(kind, error, trace))
