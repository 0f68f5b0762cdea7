"""The head of a request: its bytes become a method, a target and fields, or a rejection."""

import re
from functools import lru_cache
from http import HTTPMethod

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from app.serving.http.host import can_be_in_url, is_absolute, is_host, is_tunnel
from app.serving.http.limits import Limits
from app.serving.http.rejection import Rejection
from app.serving.http.request import Request

# llhttp parses only the fields. In request lines it accepts two spaces between the words, `*` as the target of a GET,
# RTSP and ICE, and it rejects targets that RFC 9112 allows for CONNECT.
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])")
_STANDARD_METHODS = frozenset(HTTPMethod.__members__)
_METHOD = re.compile(rb"[A-Z][A-Z-]{2,19}")
_ANY_REQUEST_LINE = b"POST / HTTP/1.1\r\n"

# llhttp accepts BEL, DEL and similar characters in field values.
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

# To split 98 Connection fields into 14,000 options took eight times as long as the rest of a head.
# The lookbehind is last because a pattern that begins with a word is found much faster.
_CLOSE = re.compile(rb"close(?<![^\t ,]close)(?=[\t ]*(?:,|$))")
_KEEP_ALIVE = re.compile(rb"keep-alive(?<![^\t ,]keep-alive)(?=[\t ]*(?:,|$))")

# If one of these fields came twice, a proxy and this server could see different requests.
_SINGLE = (b"host", b"content-length", b"transfer-encoding", b"content-type")

# The other transfer codings of RFC 9112, section 7.2.
_CODINGS = frozenset({b"gzip", b"x-gzip", b"deflate", b"compress", b"x-compress"})

QUOTED_BYTES = 64


def read_head(request: Request, data: bytes, limits: Limits) -> None:
    """Read a head, including its empty line. Raises Rejection; the request then has what was parsed before."""
    line, _, rest = data.partition(b"\r\n")
    read_request_line(request, line, limits)
    if len(rest) > limits.field_bytes:
        raise Rejection(431, f"the header fields exceed {limits.field_bytes} bytes")
    if _CONTROL.search(data):
        raise Rejection(400, "malformed HTTP: a control character in the head")
    parser = HttpRequestParser(_FieldCollector(request.fields))
    try:
        parser.feed_data(_ANY_REQUEST_LINE + rest)
    except HttpParserUpgrade:
        # A server may ignore Upgrade (RFC 9110, section 7.8). Java's client sends it each time.
        pass
    except HttpParserError as error:
        if "overflow" in str(error):
            raise Rejection(413, f"the body exceeds {limits.body_bytes} bytes") from None
        raise Rejection(400, f"malformed HTTP: {error}") from None
    _interpret_fields(request, limits)
    request.has_head = True


def read_request_line(request: Request, line: bytes, limits: Limits) -> None:
    """Read method, target and version from the first line. Raises Rejection."""
    if len(line) > limits.request_line_bytes:
        raise Rejection(414, f"the request line exceeds {limits.request_line_bytes} bytes")
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise Rejection(400, "malformed HTTP: no valid request line")
    method, target, major, minor = match.groups()
    request.method = method.decode()
    if request.method not in _STANDARD_METHODS and not _METHOD.fullmatch(method):
        request.method = ""
        raise Rejection(400, "malformed HTTP: no valid method", f"malformed HTTP: no valid method: {_quote(method)}")
    if major != b"1":
        raise Rejection(400, "malformed HTTP: not HTTP/1")
    request.target = target.decode()
    request.is_http_1_0 = minor == b"0"  # A later minor version is served as 1.1 (RFC 9110, section 2.5).
    if request.method not in _STANDARD_METHODS and not _llhttp_knows(request.method):
        raise Rejection(501, "unknown method", f"unknown method: {_quote(method)}")
    if not (target.startswith(b"/") or (target == b"*" and request.method == HTTPMethod.OPTIONS)):
        is_valid = is_tunnel(target) if request.method == HTTPMethod.CONNECT else is_absolute(target)
        if not (is_valid and can_be_in_url(target)):
            raise Rejection(400, "malformed HTTP: no valid target")


@lru_cache(maxsize=64)
def _llhttp_knows(method: str) -> bool:
    try:
        HttpRequestParser(object()).feed_data(f"{method} / HTTP/1.1\r\n".encode())
    except HttpParserError:
        return False
    return True


class _FieldCollector:
    """Receives each field from llhttp."""

    __slots__ = ("_append",)

    def __init__(self, fields: list[tuple[bytes, bytes]]) -> None:
        self._append = fields.append

    def on_header(self, name: bytes, value: bytes) -> None:
        self._append((name.lower(), value.strip(b" \t")))


def _interpret_fields(request: Request, limits: Limits) -> None:
    if len(request.fields) > limits.fields:
        raise Rejection(431, f"more than {limits.fields} header fields")
    names = dict(request.fields)
    if len(names) < len(request.fields):
        _check_repeated(request)
    _check_host(request, names.get(b"host"))
    if b"content-length" in names:
        # llhttp accepts only digits, and any number of leading zeros; int() takes at most 4,300 digits.
        request.content_length = int(names[b"content-length"].lstrip(b"0") or b"0")
    if b"transfer-encoding" in names:
        _check_transfer_encoding(request, names[b"transfer-encoding"])
        request.is_chunked = True
    # A client that asked to close sends no further request: what follows comes from another client. The same is true
    # after CONNECT (RFC 9931, section 8).
    options = b""
    if b"connection" in names:
        options = b",".join(value for name, value in request.fields if name == b"connection").lower()
    request.keep_alive = (
        not _CLOSE.search(options)
        and request.method != HTTPMethod.CONNECT
        and (not request.is_http_1_0 or _KEEP_ALIVE.search(options) is not None)
    )
    if b"expect" in names and not request.is_http_1_0:
        has_body = request.is_chunked or request.content_length > 0
        request.expects_continue = has_body and names[b"expect"].lower() == b"100-continue"


def _check_repeated(request: Request) -> None:
    names = [name for name, _ in request.fields]
    for name in _SINGLE:
        if names.count(name) > 1:
            raise Rejection(400, f"malformed HTTP: two {name.decode()} fields")


def _check_host(request: Request, value: bytes | None) -> None:
    if value is None and not request.is_http_1_0:
        raise Rejection(400, "malformed HTTP: no Host field")
    # A target with a host overrides the field: one of them is decoded.
    is_used = not request.target.lower().startswith(("http://", "https://"))
    if value is not None and not (is_host(value) and (not is_used or can_be_in_url(value))):
        raise Rejection(400, "malformed HTTP: no valid host in the Host field")


def _check_transfer_encoding(request: Request, value: bytes) -> None:
    if value.lower() == b"chunked" and not request.is_http_1_0:
        return
    *others, last = [coding.strip(b" \t").lower() for coding in value.split(b",")]
    # RFC 9112, section 6.1: a valid list with a coding that this server does not know.
    if last == b"chunked" and others and set(others) <= _CODINGS and not request.is_http_1_0:
        raise Rejection(501, "a transfer coding other than chunked")
    raise Rejection(400, "malformed HTTP: no valid Transfer-Encoding")


def _quote(text: bytes) -> str:
    return text[:QUOTED_BYTES].decode("ascii", "backslashreplace")
