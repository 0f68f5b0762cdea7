"""What a process prints, and what it dies of, as log lines."""

import io
import sys
import threading
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def capture_output() -> None:
    """Log from here on what is printed on the standard streams, and what no one catches. For a server alone."""
    sys.excepthook = _log_crash
    threading.excepthook = _log_thread_crash
    sys.unraisablehook = lambda crash: _log_crash(crash.exc_type, crash.exc_value, crash.exc_traceback)
    sys.stdout, sys.stderr = _Printed("stdout"), _Printed("stderr")


def end_lines() -> None:
    """Log what was printed without the end of a line, before another request goes on with it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, _Printed):
            stream.flush()


class _Printed(io.TextIOBase):
    """Stands in for a standard stream: what is printed on it becomes log lines."""

    encoding = "utf-8"

    def __init__(self, name: str) -> None:
        self._name = name
        # The start of a line: print() writes piece by piece, in several threads at a time.
        self._rest: ContextVar[str] = ContextVar(name, default="")

    @property
    def buffer(self) -> "_PrintedBytes":
        return _PrintedBytes(self)

    def write(self, text: str) -> int:
        *lines, rest = (self._rest.get() + text).split("\n")
        self._rest.set(rest)
        for line in lines:
            if line.strip():
                structlog.get_logger().warning(line, stream=self._name)
        return len(text)

    def flush(self) -> None:
        if self._rest.get():
            self.write("\n")


class _PrintedBytes(io.RawIOBase):
    """The same for bytes."""

    def __init__(self, text: _Printed) -> None:
        self._text = text

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer") -> int:
        self._text.write(bytes(data).decode(errors="backslashreplace"))
        return len(bytes(data))


def _log_thread_crash(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_type is not SystemExit:
        _log_crash(crash.exc_type, crash.exc_value, crash.exc_traceback)


def _log_crash(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    structlog.get_logger().critical("crash", error=kind.__name__, exc_info=(kind, error, trace))
