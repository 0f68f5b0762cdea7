"""What ties one request together across services: its id, and its place in a trace."""

import re
from random import getrandbits
from typing import NamedTuple

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
# https://www.w3.org/TR/trace-context/: an id of nothing but zeros is not valid, nor is version ff.
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


class Trace(NamedTuple):
    """The trace that a request belongs to, and the caller's span in it."""

    trace_id: str
    span_id: str


def request_id(header: str | None) -> str:
    """Take over the client's `X-Request-ID` where it is harmless, else make a new one of 32 hexadecimal digits."""
    if header is not None and _REQUEST_ID.fullmatch(header):
        return header
    # To be unlike all others is enough: nothing is protected by an id that cannot be guessed, which costs 1 us more.
    return f"{getrandbits(128):032x}"


def trace(header: str) -> Trace | None:
    """Read a W3C `traceparent`; None where it is not valid."""
    match = _TRACEPARENT.fullmatch(header)
    # Versions to come may say more behind the flags; version 00 may not.
    if not match or match[1] == "ff" or (match[1] == "00" and match[4]):
        return None
    return Trace(match[2], match[3])
