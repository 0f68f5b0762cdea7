"""Conditional and partial requests: the fields that a server ignores (RFC 9110, sections 13 and 14)."""

import re

from flask import Flask, request
from werkzeug.http import parse_date

from app.web.problems import Problem

_DATES = ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE")

# A client has one version of a file, or a few. Reading 15 kB of entity tags takes 2.5 to 5 ms. Without If-None-Match it
# gets the file once more.
LONGEST_TAGS = 1000

_ONE_RANGE = re.compile("bytes=([0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})")


def init_app(app: Flask) -> None:
    """Remove from each request the fields that have no meaning and that werkzeug would answer with an error."""
    app.before_request(_ignore)


def _ignore() -> None:
    environ = request.environ
    for name in _DATES:
        if name in environ and not _can_be_parsed(environ[name]):
            del environ[name]
    if len(environ.get("HTTP_IF_NONE_MATCH", "")) > LONGEST_TAGS:
        del environ["HTTP_IF_NONE_MATCH"]
    if len(environ.get("HTTP_IF_MATCH", "")) > LONGEST_TAGS:  # Not ignored: a view may rely on it to lose no update.
        raise Problem(431, f"If-Match: more than {LONGEST_TAGS} characters", reason="If-Match is too long")
    if "HTTP_RANGE" in environ and not _has_meaning(environ["HTTP_RANGE"], environ.get("HTTP_IF_RANGE", "")):
        del environ["HTTP_RANGE"]
        environ.pop("HTTP_IF_RANGE", None)


def _has_meaning(byte_range: str, condition: str) -> bool:
    # A server must ignore a range with another method or of an unknown unit, and may ignore several ranges at once.
    return request.method == "GET" and bool(_ONE_RANGE.fullmatch(byte_range)) and _can_be_parsed(condition)


def _can_be_parsed(date: str) -> bool:
    try:
        parse_date(date)
    except OverflowError:  # A year of twenty digits: werkzeug 3.1 would answer 500.
        return False
    return True
