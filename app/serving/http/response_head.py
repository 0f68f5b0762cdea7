"""The head of a response: what an application may put into it, and the date that the server adds."""

import re
import time
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache

# Fields of the connection, which the server manages (PEP 3333, "Other HTTP Features").
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "trailer"})

# RFC 9110, section 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def check_head(status: str, headers: list[tuple[str, str]]) -> None:
    """Raise ValueError if a status and headers would break the response, or make proxies refuse it."""
    text = status + "".join([name + value for name, value in headers])
    if "\n" in text or "\r" in text or "\0" in text:
        raise ValueError("a line break or a null character in a header of the response")
    text.encode("latin-1")
    for name, value in headers:
        if not _is_token(name):
            raise ValueError("a header of the response whose name is no token")
        if name.lower() == "content-length" and not value.isdecimal():
            raise ValueError("a Content-Length that is no number")


@lru_cache(maxsize=256)
def _is_token(name: str) -> bool:
    return _TOKEN.fullmatch(name) is not None


@lru_cache(maxsize=1)
def date_line(second: int) -> str:
    """Return the Date field of a response that is made in this second of the epoch."""
    return f"Date: {formatdate(second, usegmt=True)}"


def head_lines(status: str, headers: Iterable[tuple[str, str]]) -> tuple[list[str], int | None, bool]:
    """Make the lines of a head. Return them, the Content-Length, and whether the connection may be kept."""
    lines = [f"HTTP/1.1 {status}"]
    length: int | None = None
    has_date, may_keep = False, True
    for name, value in headers:
        lowered = name.lower()
        if lowered == "content-length":
            length = int(value)
        elif lowered == "date":
            has_date = True
        elif lowered in _HOP_BY_HOP:
            may_keep = may_keep and not (lowered == "connection" and value.lower() == "close")
            continue
        lines.append(f"{name}: {value}")
    if not has_date:
        lines.append(date_line(int(time.time())))
    return lines, length, may_keep
