"""Captured output: what a process prints, and the exceptions that nothing catches, as log lines."""

import io
import logging
import sys
import threading
from collections import deque
from contextvars import Context
from types import TracebackType
from typing import TYPE_CHECKING

from app.observability.logs import emit
from app.observability.request_record import current_record

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def capture_output() -> None:
    """Log from here on what is printed to the standard streams, and uncaught exceptions. Only for server processes."""
    sys.excepthook = _log_crash
    threading.excepthook = _log_thread_crash
    sys.unraisablehook = lambda crash: _log_crash(crash.exc_type, crash.exc_value, crash.exc_traceback)
    sys.stdout, sys.stderr = _Printed("stdout", 1), _Printed("stderr", 2)


def end_lines() -> None:
    """Log printed text that has no line end yet, before another request continues the line."""
    while _left_over:
        text, name, ids = _left_over.popleft()
        Context().run(_log_line, text, name, **ids)  # Another request may be current.
    record = current_record()
    if record is None or record.printed:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, _Printed):
                stream.flush()


class _UnfinishedLines(dict[str, str]):
    """Unfinished lines by the name of their stream. A line that never ends is logged after its owner is freed.

    A request has its own, which tasks and threads that copy its context share. Outside of requests each thread has its
    own: print() writes in pieces, and several threads print at once.
    """

    def __init__(self, **ids: str) -> None:
        super().__init__()
        self._ids = ids

    def __del__(self) -> None:
        # Not logged here: the garbage collector may run while this thread holds a lock that a counter takes.
        _left_over.extend((text, name, self._ids) for name, text in self.items() if text)


_left_over: deque[tuple[str, str, dict[str, str]]] = deque()


class _Thread(threading.local):
    def __init__(self) -> None:
        self.unfinished_lines = _UnfinishedLines()


def _log_line(text: str, stream: str, **ids: str) -> None:
    if text.strip():
        emit(logging.WARNING, {"event": text, "stream": stream, **ids})


class _Printed(io.TextIOBase):
    """Replaces a standard stream: each line printed to it becomes a log line."""

    encoding = "utf-8"
    errors = "backslashreplace"
    mode = "w"
    line_buffering = True

    def __init__(self, name: str, descriptor: int) -> None:
        self._name = name
        self.name = f"<{name}>"
        self._descriptor = descriptor
        self._thread = _Thread()

    @property
    def buffer(self) -> "_PrintedBytes":
        return _PrintedBytes(self)

    def write(self, text: str) -> int:
        unfinished = self._unfinished_lines()
        *lines, unfinished[self._name] = (unfinished.get(self._name, "") + text).split("\n")
        for line in lines:
            _log_line(line, self._name)
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor  # For faulthandler, and for programs that a view starts with this stream as theirs.

    def reconfigure(self, **_: object) -> None:
        """Change nothing: each line is logged at once, and in UTF-8."""

    def flush(self) -> None:
        if self._unfinished_lines().get(self._name):
            self.write("\n")

    def _unfinished_lines(self) -> _UnfinishedLines:
        record = current_record()
        if record is None:
            return self._thread.unfinished_lines
        if record.printed is None:
            record.printed = _UnfinishedLines(request_id=record.request_id)
        unfinished: _UnfinishedLines = record.printed
        return unfinished


class _PrintedBytes(io.RawIOBase):
    """Does the same for bytes."""

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
    emit(logging.CRITICAL, {"event": "crash", "error": kind.__name__, "exc_info": (kind, error, trace)})
