"""What identifies a request across services: its id, and its place in a trace."""

import re
from random import getrandbits
from typing import NamedTuple

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
# https://www.w3.org/TR/trace-context/: an id of all zeros is invalid, and so is version ff.
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


class Trace(NamedTuple):
    """The trace that a request belongs to, and the caller's span in it."""

    trace_id: str
    span_id: str


def request_id(header: str | None) -> str:
    """Return the client's `X-Request-ID` if it is harmless, else a new id of 32 hexadecimal digits."""
    if header is not None and _REQUEST_ID.fullmatch(header):
        return header
    # The id only has to be unique. One that cannot be guessed would cost 1 us more and protect nothing.
    return f"{getrandbits(128):032x}"


def trace(header: str) -> Trace | None:
    """Parse a W3C `traceparent`; return None if it is invalid."""
    match = _TRACEPARENT.fullmatch(header)
    # Future versions may append fields after the flags; version 00 may not.
    if not match or match[1] == "ff" or (match[1] == "00" and match[4]):
        return None
    return Trace(match[2], match[3])
