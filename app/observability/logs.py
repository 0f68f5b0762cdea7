"""Logs: all that a process logs takes one way, to one output, in one form."""

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from select import PIPE_BUF
from typing import Any

import structlog
from structlog.typing import Processor

from app.observability.log_line import complete, escape, render
from app.observability.log_output import LogOutput

LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)

LEVEL_NAMES = {level: logging.getLevelName(level).lower() for level in LEVELS}

# What every record of Python's logging has; the rest came by `extra=`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


_formatter: "_Formatter | None" = None


def configure_logs(level: str, log_format: str, output: LogOutput, environ: Mapping[str, str]) -> None:
    """Send what structlog, Python's logging and its warnings tell to `output`.

    `log_format` is `json`, `console`, or `auto`: text on a terminal, JSON elsewhere. The text is in colour on a
    terminal, but not where `environ` has NO_COLOR (https://no-color.org) or TERM=dumb.
    """
    global _formatter  # noqa: PLW0603 - the one of the process, as structlog's own configuration
    is_console = log_format == "console" or (log_format == "auto" and output.is_terminal)
    has_colors = output.is_terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    console = structlog.dev.ConsoleRenderer(
        colors=has_colors, sort_keys=False, exception_formatter=structlog.dev.plain_traceback
    )
    processors: list[Processor] = [complete, escape, console] if is_console else [complete, render]
    _formatter = _Formatter(getattr(logging, level.upper()), processors, output)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Line(output),
    )
    output.announce_dropped = _announce_dropped
    root = logging.getLogger()
    root.handlers = [_Forwarder()]
    root.setLevel(level.upper())
    logging.captureWarnings(True)


def line_of(level: int, event: dict[str, Any]) -> bytes | None:
    """Make the line of an event, for write_lines(); None where its level is not logged.

    It is the line of structlog's loggers, without what they do to bind: 4 of the 11 us of a request's line.
    """
    if _formatter is None:  # The configuration is not ours, and writes by itself.
        structlog.get_logger().log(level, **event)
        return None
    return _formatter.line_of(level, event)


def write_lines(lines: Sequence[bytes | None]) -> None:
    """Write what line_of() has made, as many lines together as a pipe takes in one piece."""
    if _formatter is not None:
        _formatter.write(list(filter(None, lines)))


def configure_unless_done(level: str, log_format: str) -> None:
    """Configure the logs for a process that no server of ours has started: as text, on standard error."""
    if not structlog.is_configured() and sys.__stderr__ is not None:
        log_format = "console" if log_format == "auto" else log_format
        configure_logs(level, log_format, LogOutput(sys.__stderr__), os.environ)


class _Formatter:
    """The processors of structlog's configuration, and what they lead to."""

    def __init__(self, threshold: int, processors: Sequence[Processor], output: LogOutput) -> None:
        self._threshold = threshold
        self._processors = processors
        self._output = output

    def line_of(self, level: int, event: Any) -> bytes | None:
        if level < self._threshold:
            return None
        for processor in self._processors:
            event = processor(None, LEVEL_NAMES[level], event)
        return _encoded(event)

    def write(self, lines: Sequence[bytes]) -> None:
        piece = b""
        events = 0
        for line in lines:
            if events and len(piece) + len(line) > PIPE_BUF:
                self._output.write(piece, events)
                piece, events = b"", 0
            piece += line
            events += 1
        if events:
            self._output.write(piece, events)


class _Line:
    """Hands each line over to the output."""

    def __init__(self, output: LogOutput) -> None:
        self._output = output

    def msg(self, line: str | bytes) -> None:
        self._output.write(_encoded(line))

    debug = info = warning = error = critical = exception = log = msg


class _Forwarder(logging.Handler):
    """Hands the records of Python's own logging over to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # Arguments that do not fit are a reason to log, and not to fail.
            message = f"{record.msg} {record.args}"
        level = max((level for level in LEVELS if level <= record.levelno), default=logging.DEBUG)
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        log = structlog.get_logger().bind(**extra)
        log.log(level, message, logger=record.name, exc_info=record.exc_info)


def _encoded(line: str | bytes) -> bytes:
    return (line.encode() if isinstance(line, str) else line) + b"\n"


def _announce_dropped(lines: int) -> None:
    structlog.get_logger().warning("log lines dropped", lines=lines)
