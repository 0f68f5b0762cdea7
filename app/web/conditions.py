"""Conditional and partial requests: what a server ignores of them (RFC 9110, sections 13 and 14)."""

import re

from flask import Flask, request
from werkzeug.http import parse_date

_DATES = ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE")
_ONE_RANGE = re.compile("bytes=([0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})")


def init_app(app: Flask) -> None:
    """Take from each request the fields that Flask's files would fail on, or answer with an error for nothing."""
    app.before_request(_ignore)


def _ignore() -> None:
    environ = request.environ
    for name in _DATES:
        if name in environ and not _is_date_or_tag(environ[name]):
            del environ[name]
            if name == "HTTP_IF_RANGE":  # The condition does not hold.
                environ.pop("HTTP_RANGE", None)
    # Of a unit that is unknown, of several ranges at once, and with another method, a range may or must be ignored.
    if "HTTP_RANGE" in environ and not (request.method == "GET" and _ONE_RANGE.fullmatch(environ["HTTP_RANGE"])):
        del environ["HTTP_RANGE"]


def _is_date_or_tag(text: str) -> bool:
    try:
        parse_date(text)
    except OverflowError:  # A year of twenty digits: werkzeug 3.1 makes a 500 of it.
        return False
    return True
