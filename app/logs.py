"""Logs: every line on standard output is one JSON object, whoever it comes from."""

import io
import json
import logging
import sys
import threading
import traceback
from collections.abc import MutableMapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import orjson
import structlog

from app.log_output import LogOutput

# A pipe takes 4,096 bytes in one piece. Longer lines of two processes can end up inside each other.
LINE_BYTES = 4096
LONG_TEXT_CHARACTERS = (1000, 300, 100, 30)

LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)


def configure_logs(level: str, log_format: str, output: LogOutput) -> None:
    """Send all that this process logs, prints, warns of or dies of to `output`, in one form.

    `log_format` is `json`, `console`, or `auto`: text in colour on a terminal, JSON elsewhere.
    """
    is_console = log_format == "console" or (log_format == "auto" and output.is_terminal)
    structlog.configure(
        processors=[_complete, _escape, structlog.dev.ConsoleRenderer()] if is_console else [_complete, _render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Line(output),
    )
    output.announce_dropped = _announce_dropped
    root = logging.getLogger()
    root.handlers = [_Forwarder()]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    sys.excepthook = _log_crash
    threading.excepthook = _log_thread_crash
    sys.unraisablehook = lambda crash: _log_crash(crash.exc_type, crash.exc_value, crash.exc_traceback)
    sys.stdout, sys.stderr = _Printed("stdout"), _Printed("stderr")


class _Line:
    """Hands each line over to the output."""

    def __init__(self, output: LogOutput) -> None:
        self._output = output

    def msg(self, line: str | bytes) -> None:
        self._output.write((line.encode() if isinstance(line, str) else line) + b"\n")

    debug = info = warning = error = critical = exception = log = msg


class _Forwarder(logging.Handler):
    """Hands the records of Python's own logging over to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # Arguments that do not fit are a reason to log, and not to fail.
            message = f"{record.msg} {record.args}"
        level = max((level for level in LEVELS if level <= record.levelno), default=logging.DEBUG)
        structlog.get_logger().log(level, message, logger=record.name, pid=record.process, exc_info=record.exc_info)


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


def _announce_dropped(lines: int) -> None:
    structlog.get_logger().warning("log lines dropped", lines=lines)


def _complete(_logger: object, level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    line: dict[str, Any] = {"timestamp": now, "level": level, "event": event.pop("event")}
    error = event.pop("exc_info", None)
    line |= event
    if error:
        line["traceback"] = _traceback(error)
    return line


def _traceback(error: Any) -> str:
    if error is True:
        return traceback.format_exc()
    if isinstance(error, BaseException):
        return "".join(traceback.format_exception(error))
    return "".join(traceback.format_exception(*error))


def _escape(_logger: object, _level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    # A terminal obeys what it is shown; tracebacks keep their lines.
    return {key: _printable(value) if isinstance(value, str) else value for key, value in event.items()}


def _printable(text: str) -> str:
    lines = text.split("\n")
    return "\n".join(line if line.isprintable() else line.encode("unicode_escape").decode() for line in lines)


def _render(_logger: object, _level: str, event: MutableMapping[str, Any]) -> bytes:
    line = _encode(event)
    for characters in LONG_TEXT_CHARACTERS:
        if len(line) < LINE_BYTES:
            return line
        line = _encode({key: _shorten(key, value, characters) for key, value in event.items()})
    return line


def _shorten(key: str, value: Any, characters: int) -> Any:
    if isinstance(value, str | float | int | None) and len(str(value)) <= characters:
        return value
    # The start of a text and the end of a traceback say most.
    return str(value)[-characters:] if key == "traceback" else str(value)[:characters]


def _encode(event: MutableMapping[str, Any]) -> bytes:
    try:
        line = orjson.dumps(event, default=repr)
    except orjson.JSONEncodeError:  # A text that is no Unicode, such as a file name in another encoding.
        line = orjson.dumps(
            {key: str(value).encode("utf-8", "backslashreplace").decode() for key, value in event.items()}
        )
    # In ASCII alone nothing can end a line, or turn it around on a terminal: neither U+2028 nor U+202E. Of what ASCII
    # has for terminals, JSON leaves one as it is: DEL.
    line = line if line.isascii() else json.dumps(orjson.loads(line)).encode()
    return line.replace(b"\x7f", b"\\u007f")


def _log_thread_crash(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_type is not SystemExit:
        _log_crash(crash.exc_type, crash.exc_value, crash.exc_traceback)


def _log_crash(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    structlog.get_logger().critical("crash", error=kind.__name__, exc_info=(kind, error, trace))
