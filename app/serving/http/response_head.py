"""The head of a response: what an application may put into it, and the date that the server adds."""

import re
from email.utils import formatdate
from functools import lru_cache

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
