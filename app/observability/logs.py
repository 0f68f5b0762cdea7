"""Logs: everything that a process logs goes to one output in one format."""

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from structlog.typing import Processor

from app.observability.log_line import as_text, complete, escape, render
from app.observability.log_output import LogOutput

LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)

LEVEL_NAMES = {level: logging.getLevelName(level).lower() for level in LEVELS}

# The attributes of every record of Python's logging; all others came from `extra=`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

# The keys that _Forwarder sets. Those of `extra=` with such a name get an underscore, as in log_line.complete().
_SET_HERE = frozenset({"event", "logger"})

_emitter: "_Emitter | None" = None


def configure_logs(
    level: str, log_format: str, output: LogOutput, environ: Mapping[str, str], *, keeps_handlers: bool = False
) -> None:
    """Send the output of structlog, Python's logging and its warnings to `output`.

    `log_format` is `json`, `console`, or `auto`: text on a terminal, JSON elsewhere. The text is in colour on a
    terminal, unless `environ` has NO_COLOR (https://no-color.org) or TERM=dumb.
    """
    global _emitter  # noqa: PLW0603 - one per process, like structlog's own configuration
    is_console = log_format == "console" or (log_format == "auto" and output.is_terminal)
    has_colors = output.is_terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    console = structlog.dev.ConsoleRenderer(
        colors=has_colors, sort_keys=False, exception_formatter=structlog.dev.plain_traceback
    )
    processors: list[Processor] = [complete, escape, console] if is_console else [complete, render]
    _emitter = _Emitter(getattr(logging, level.upper()), processors, _Line(output))
    structlog.configure(
        processors=[structlog.processors.StackInfoRenderer(), *processors],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Line(output),
    )
    output.announce_dropped = _announce_dropped
    root = logging.getLogger()
    root.handlers = [*(root.handlers if keeps_handlers else []), _Forwarder()]
    root.setLevel(level.upper())
    logging.captureWarnings(True)


def emit(level: int, event: dict[str, Any]) -> None:
    """Write an event of the service itself, as structlog's loggers do.

    Their binding would take 4 of the 11 us of a request's line. And an application may configure structlog to print:
    since what is printed is logged, a line of the service would wait for the lock of its own print.
    """
    if _emitter is None:
        structlog.get_logger().log(level, **event)
    else:
        _emitter.emit(level, event)


def forward_logger(name: str) -> None:
    """Write what a logger of Python's logging takes, whatever the application has configured for all loggers."""
    logger = logging.getLogger(name)
    logger.disabled = False
    if not any(isinstance(handler, _Forwarder) for handler in logging.getLogger().handlers):
        logger.handlers = [*logger.handlers, _Forwarder()]
        logger.propagate = False
        logger.setLevel(logging.DEBUG)  # Not that of the root logger. LOG_LEVEL decides.


def configure_unless_done(level: str, log_format: str) -> None:
    """Configure logs as text on standard error, for a process that none of our servers has started."""
    if not structlog.is_configured() and sys.__stderr__ is not None:
        log_format = "console" if log_format == "auto" else log_format
        # pytest's `caplog` is a handler, which may be there before the application is.
        configure_logs(level, log_format, LogOutput(sys.__stderr__), os.environ, keeps_handlers=True)


class _Emitter:
    """Runs the processors of structlog's configuration, and writes what they return."""

    def __init__(self, threshold: int, processors: Sequence[Processor], line: "_Line") -> None:
        self._threshold = threshold
        self._processors = processors
        self._line = line

    def emit(self, level: int, event: Any) -> None:
        if level >= self._threshold:
            for processor in self._processors:
                event = processor(None, LEVEL_NAMES[level], event)
            self._line.msg(event)


class _Line:
    """Passes each line to the output."""

    def __init__(self, output: LogOutput) -> None:
        self._output = output

    def msg(self, line: str | bytes) -> None:
        self._output.write((line.encode() if isinstance(line, str) else line) + b"\n")

    debug = info = warning = error = critical = exception = log = msg


class _Forwarder(logging.Handler):
    """Passes the records of Python's own logging to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - log arguments that do not fit, instead of failing
            message = f"{as_text(record.msg)} {as_text(record.args)}"
        level = max((level for level in LEVELS if level <= record.levelno), default=logging.DEBUG)
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        for key in _SET_HERE & extra.keys():
            extra[f"{key}_"] = extra.pop(key)
        if record.stack_info:
            extra["stack"] = record.stack_info
        emit(level, {**extra, "event": message, "logger": record.name, "exc_info": record.exc_info})


def _announce_dropped(lines: int) -> None:
    emit(logging.WARNING, {"event": "log lines dropped", "lines": lines})
