"""What a process prints, and what it dies of, as log lines."""

import io
import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

import structlog

from app.observability.request_record import current_record

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
    record = current_record()
    if record is None or record.printed:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, _Printed):
                stream.flush()


class _Beginnings(dict[str, str]):
    """The starts of lines, by the name of their stream. One that never ends is logged when its owner is gone.

    All that serves a request shares those of its record, tasks and threads that copy its context included. Elsewhere
    each thread has its own, since print() writes piece by piece, in several threads at a time.
    """

    def __del__(self) -> None:
        for name, text in self.items():
            _log_line(text, name)


class _Thread(threading.local):
    def __init__(self) -> None:
        self.beginnings = _Beginnings()


def _log_line(text: str, stream: str) -> None:
    if text.strip():
        structlog.get_logger().warning(text, stream=stream)


class _Printed(io.TextIOBase):
    """Stands in for a standard stream: what is printed on it becomes log lines."""

    encoding = "utf-8"

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread = _Thread()

    @property
    def buffer(self) -> "_PrintedBytes":
        return _PrintedBytes(self)

    def write(self, text: str) -> int:
        beginnings = self._beginnings()
        *lines, beginnings[self._name] = (beginnings.get(self._name, "") + text).split("\n")
        for line in lines:
            _log_line(line, self._name)
        return len(text)

    def flush(self) -> None:
        if self._beginnings().get(self._name):
            self.write("\n")

    def _beginnings(self) -> _Beginnings:
        record = current_record()
        if record is None:
            return self._thread.beginnings
        if record.printed is None:
            record.printed = _Beginnings()
        beginnings: _Beginnings = record.printed
        return beginnings


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
