"""Log lines: complete, sanitize and encode an event."""

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
from flask import has_request_context, request
from structlog.contextvars import get_contextvars

from app.observability.request_record import ENVIRON_KEY, current_record

# A write of up to 4,096 bytes to a pipe is atomic. Longer lines from two processes can interleave.
LINE_BYTES = 4096
LONG_TEXT_CHARACTERS = (1000, 300, 100, 30)

# The keys to keep in a line that has too many, however short their values.
_KEPT = ("timestamp", "level", "event", "request_id", "pid")
LEFT_OUT = "keys_left_out"

# structlog's console fails if one of these is not a text, as in log.error("failed", exception=error).
_CONSOLE_TEXTS = frozenset({"exception", "stack", "traceback"})

_COLORS = re.compile(r"\x1b\[[0-9;]*m")

Event = MutableMapping[str, Any]


def complete(_logger: object, level: str, event: Event) -> Event:
    """Add the time, the ids of the event's request, and the keys that are bound to all lines of the context."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    now = f"{_second(seconds)}.{nanoseconds // 1000:06}Z"
    error = event.pop("exc_info", None)
    own: dict[str, Any] = {"timestamp": now, "level": level, "pid": os.getpid()}
    record = current_record()
    if record is None and has_request_context():  # In a thread with Flask's copy_current_request_context().
        record = request.environ.get(ENVIRON_KEY)
    if record is not None:
        own["request_id"] = record.request_id
        if record.trace:
            own["trace_id"], own["span_id"] = record.trace
    # These three keys come first.
    line: dict[str, Any] = {"timestamp": now, "level": level, "event": "", **event, **own}
    bound = get_contextvars()
    for key, value in bound.items():
        if line.get(key) is None:
            line[key] = value
    # A caller's key with the name of one of ours gets an underscore, as names in Python do.
    for theirs in (bound, event):
        for key, value in own.items():
            if key in theirs and not _is_same(theirs[key], value):
                line[f"{key}_"] = theirs[key]
    if error:
        line["traceback"] = _traceback(error)
    return line


def _is_same(value: Any, own: str | int) -> bool:
    # Only plain values: comparing an array of NumPy does not give a bool, and would fail the request.
    return isinstance(value, str | int) and value == own


@lru_cache(maxsize=1)  # Saves three quarters of the time to make a timestamp.
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _traceback(error: Any) -> str:
    if isinstance(error, BaseException):
        return "".join(traceback.format_exception(error))
    if isinstance(error, tuple):
        try:
            return "".join(traceback.format_exception(*error))
        except Exception:  # noqa: BLE001 - as in as_text(): it may be any tuple
            return as_text(error)
    return traceback.format_exc()  # For True, and for any other true value.


def escape(_logger: object, _level: str, event: Event) -> Event:
    """Escape what could control a terminal in the texts of an event; tracebacks keep their line breaks.

    Remove colour codes entirely: werkzeug's and click's lines are full of them.
    """
    line = {key: _described(key, value) for key, value in event.items()}
    if "traceback" in line:
        # structlog's console prints this key last, over several lines.
        line["exception"] = "\n".join(line[key] for key in ("exception", "traceback") if key in line)
        del line["traceback"]
    return line


def _described(key: str, value: Any) -> Any:
    if isinstance(value, str) or key in _CONSOLE_TEXTS:
        return _printable(as_text(value))
    try:
        repr(value)  # As structlog's console does.
    except Exception:  # noqa: BLE001 - see as_text()
        return as_text(value)
    return value


def _printable(text: str) -> str:
    lines = _COLORS.sub("", text).split("\n")
    return "\n".join(line if line.isprintable() else line.encode("unicode_escape").decode() for line in lines)


def render(_logger: object, _level: str, event: Event) -> bytes:
    """Encode an event as one JSON object of less than 4,096 bytes, shortening its texts if necessary."""
    line = _encode(event)
    for characters in LONG_TEXT_CHARACTERS:
        if len(line) < LINE_BYTES:
            return line
        shortened = {key: _shorten(key, value, characters) for key, value in event.items()}
        line = _encode(shortened)
    return line if len(line) < LINE_BYTES else _encode(_fitting(shortened))


def _shorten(key: str, value: Any, characters: int) -> Any:
    text = as_text(value)
    if isinstance(value, str | float | int | None) and len(text) <= characters:
        return value
    # The start of a text and the end of a traceback are the most useful parts.
    return text[-characters:] if key in {"traceback", "stack"} else text[:characters]


def _fitting(event: Event) -> Event:
    kept = {key: event[key] for key in _KEPT if key in event}
    others = {key: value for key, value in event.items() if key not in kept}
    left_out = 0
    room = LINE_BYTES - len(_encode({**kept, LEFT_OUT: len(others)}))
    for key, value in others.items():
        size = len(_encode({key: value}))
        if size < room:
            kept[key] = value
            room -= size
        else:
            left_out += 1
    return {**kept, LEFT_OUT: left_out}


def as_text(value: Any) -> str:
    """Convert any object to text: a bug in its `__repr__` must not fail a request that only logs it."""
    try:
        return str(value) if isinstance(value, str) else repr(value)  # It may be a proxy of a text.
    except Exception:  # noqa: BLE001 - whatever it raises
        return f"<{type(value).__name__}>"


def _encode(event: Event) -> bytes:
    try:
        line = orjson.dumps(event, default=as_text)
    except orjson.JSONEncodeError:
        encodable = {_valid(as_text(key)): _encodable(value) for key, value in event.items()}
        line = orjson.dumps(encodable, default=as_text)
    # Pure ASCII excludes U+2028, which ends a line, and U+202E, which reverses it on a terminal. DEL is the only ASCII
    # control character that JSON leaves unescaped.
    line = line if line.isascii() else json.dumps(orjson.loads(line)).encode()
    return line.replace(b"\x7f", b"\\u007f")


def _encodable(value: Any) -> Any:
    # orjson rejects an integer of more than 64 bits, a dict with keys that are not strings, and a string that is not
    # valid Unicode, such as a file name in another encoding. The other values of the line stay unchanged.
    try:
        orjson.dumps(value, default=as_text)
    except orjson.JSONEncodeError:
        return _valid(as_text(value))
    return value


def _valid(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
