"""The head of a request: what the parser takes and this service does not."""

import re

from app.refusal import Refusal
from app.request_parser import RequestParser

# RFC 3986, section 3.2: an IPv6 address in brackets, or a name or an IPv4 address, and perhaps a port. The labels of a
# name are as long as they are in the DNS: of others, Flask makes an error of its own.
_LABEL = rb"[\w~!$&'()*+,;=%-]{1,63}"
_AUTHORITY = rb"(?:\[[0-9A-Fa-f:.]+\]|" + _LABEL + rb"(?:\." + _LABEL + rb")*\.?)(?::[0-9]*)?"
_HOST = re.compile(rb"(?:" + _AUTHORITY + rb")?|:[0-9]*", re.ASCII)

# RFC 9112, section 3.2: which of the four forms a target may have. A name and a password in front of the host are an
# error (RFC 9110, section 4.2.4), and so is another scheme (section 7.4).
_ABSOLUTE = re.compile(rb"https?://(" + _AUTHORITY + rb")(?:[/?].*)?", re.ASCII | re.IGNORECASE)
_TUNNEL = re.compile(_AUTHORITY, re.ASCII)


def check_head(parser: RequestParser) -> bool:
    """Check a head that is complete, and tell whether its client waits for 100 Continue. Raises Refusal."""
    _check_target(parser)
    is_old = parser.http_version < (1, 1)
    has_host = is_old
    expects_continue = False
    options: list[bytes] = []
    for name, value in parser.headers:
        if name == b"host":
            has_host = True
            if not _HOST.fullmatch(value):
                raise Refusal(400, "Host header: no host")
        # The parser also takes "gzip, chunked", and leaves the gzip to the application.
        if name == b"transfer-encoding" and value.lower() != b"chunked":
            raise Refusal(400, "Transfer-Encoding: only chunked is read")
        if name == b"expect" and value.lower() == b"100-continue":
            expects_continue = True
        if name == b"connection":
            options += [option.strip(b" \t") for option in value.lower().split(b",")]
    if not has_host:
        raise Refusal(400, "no Host header")
    # The parser lets the last Connection header win. Whoever has asked for the end sends no further request: what
    # follows, somebody else has put there. The same holds behind CONNECT (RFC 9931, section 8).
    parser.should_keep_alive = (
        b"close" not in options and parser.method != b"CONNECT" and (not is_old or b"keep-alive" in options)
    )
    has_body = parser.is_chunked or bool(parser.content_length)
    return expects_continue and has_body and not is_old


def _check_target(parser: RequestParser) -> None:
    target: bytes = parser.path
    form = _TUNNEL if parser.method == b"CONNECT" else _ABSOLUTE
    if not (target.startswith(b"/") or target == b"*" or form.fullmatch(target)):
        raise Refusal(400, "not HTTP: Invalid request line")
