"""The head of a request: what the parser takes and this service does not."""

import re

from gunicorn.asgi.parser import PythonProtocol

from app.refusal import Refusal

# RFC 3986, section 3.2: a name, an IPv4 address or an IPv6 address in brackets, and perhaps a port.
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::[0-9]*)?", re.ASCII)


def check_head(parser: PythonProtocol) -> bool:
    """Check a head that is complete, and tell whether its client waits for 100 Continue. Raises Refusal."""
    has_host = parser.http_version < (1, 1)
    expects_continue = False
    for name, value in parser.headers:
        lower = name.lower()
        if lower == b"host":
            has_host = True
            if not _HOST.fullmatch(value):
                raise Refusal(400, "Host header: no host")
        # The parser also takes "gzip, chunked", and leaves the gzip to the application.
        if lower == b"transfer-encoding" and value.lower() != b"chunked":
            raise Refusal(400, "Transfer-Encoding: only chunked is read")
        if lower == b"expect" and value.lower() == b"100-continue":
            expects_continue = True
    if not has_host:
        raise Refusal(400, "no Host header")
    return expects_continue and bool(parser.http_version >= (1, 1))
