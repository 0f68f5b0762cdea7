"""From an event to a line: completed, made harmless, and encoded."""

import json
import os
import re
import time
import traceback
from collections.abc import MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from structlog.contextvars import get_contextvars

from app.observability.request_record import current_record

# A pipe takes 4,096 bytes in one piece. Longer lines of two processes can end up inside each other.
LINE_BYTES = 4096
LONG_TEXT_CHARACTERS = (1000, 300, 100, 30)

_COLORS = re.compile(r"\x1b\[[0-9;]*m")

Event = MutableMapping[str, Any]


def complete(_logger: object, level: str, event: Event) -> Event:
    """Add the time, what ties the event to its request, and what a view has bound to all lines of the request."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    now = f"{_second(seconds)}.{nanoseconds // 1000:06}Z"
    error = event.pop("exc_info", None)
    # The first three keys first, whatever an event calls its own.
    line: dict[str, Any] = {"timestamp": now, "level": level, "event": "", **event}
    line["timestamp"], line["level"] = now, level
    record = current_record()
    if record is not None:
        if "request_id" not in line:
            line["request_id"] = record.request_id
            if record.trace:
                line["trace_id"], line["span_id"] = record.trace
        for key, value in get_contextvars().items():
            if line.get(key) is None:
                line[key] = value
    line["pid"] = os.getpid()
    if error:
        line["traceback"] = _traceback(error)
    return line


@lru_cache(maxsize=1)  # Three quarters of the time of making a timestamp.
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _traceback(error: Any) -> str:
    if error is True:
        return traceback.format_exc()
    if isinstance(error, BaseException):
        return "".join(traceback.format_exception(error))
    return "".join(traceback.format_exception(*error))


def escape(_logger: object, _level: str, event: Event) -> Event:
    """Take the power over a terminal from the texts of an event; tracebacks keep their lines.

    Colours alone go without a trace: werkzeug's and click's lines are full of them.
    """
    line = {key: _printable(value) if isinstance(value, str) else value for key, value in event.items()}
    if "traceback" in line:
        line["exception"] = line.pop("traceback")  # What structlog's console prints over several lines, at the end.
    return line


def _printable(text: str) -> str:
    lines = _COLORS.sub("", text).split("\n")
    return "\n".join(line if line.isprintable() else line.encode("unicode_escape").decode() for line in lines)


def render(_logger: object, _level: str, event: Event) -> bytes:
    """Encode an event as one JSON object of less than 4,096 bytes, shortening its texts where it must."""
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


def _encode(event: Event) -> bytes:
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
