"""The gateway between HTTP and WSGI (PEP 3333): requests become environs, answers become bytes."""

import io
import re
import sys
import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from app.connection import Connection
from app.exchange import Exchange
from app.problem import CONTENT_TYPE, problem_body, title
from app.refusal import Refusal

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication, WSGIEnvironment

BODILESS = (b"HTTP/1.1 1", b"HTTP/1.1 204", b"HTTP/1.1 304")


_ABSOLUTE = re.compile("[^:/?]*://([^/?]*)/?")

# Names of headers up to this size are remembered with their keys. A thousand of 8 kB would take 20 MB, for good.
REMEMBERED_NAME_BYTES = 64


def base_environ(port: int, *, multithread: bool, multiprocess: bool) -> "WSGIEnvironment":
    """Make the part of the environ that is the same for every request."""
    return {
        "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": str(port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": multithread,
        "wsgi.multiprocess": multiprocess,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }


def make_environ(connection: Connection, base: "WSGIEnvironment") -> "WSGIEnvironment":
    """Make the environ of the request that a connection has received, or of what is known of one that is refused."""
    parser = connection.request.parser
    environ = base.copy()
    target = (parser.path or b"").decode("latin-1")
    absolute = _ABSOLUTE.match(target)
    if absolute:
        # The form http://host/path, which clients use towards proxies.
        target = "/" + target[absolute.end() :]
    path, _, query = target.partition("?")
    environ["REQUEST_METHOD"] = (parser.method or b"").decode("latin-1")
    environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1") if "%" in path else path
    environ["QUERY_STRING"] = query
    environ["SERVER_PROTOCOL"] = "HTTP/1.1" if parser.http_version == (1, 1) else "HTTP/1.0"
    environ["REMOTE_ADDR"] = connection.address
    environ["wsgi.input"] = io.BytesIO(connection.request.body)
    for name, value in parser.headers:
        key = _remembered_key(name) if len(name) <= REMEMBERED_NAME_BYTES else _environ_key(name)
        if key in environ:
            environ[key] += "," + value.decode("latin-1")
        elif key:
            environ[key] = value.decode("latin-1")
    if absolute:
        environ["HTTP_HOST"] = absolute[1]  # Whatever Host says (RFC 9112, section 3.2.2).
    return environ


def call(application: "WSGIApplication", environ: "WSGIEnvironment", *, keep_alive: bool) -> bytes:
    """Call a WSGI application to the end and put its response in one piece, as HTTP/1.1.

    The whole of it: a response that is streamed would keep the worker from everybody else.
    """
    head: bytes = b""
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Any:
        nonlocal head
        # Checked in here, where the measuring point still sees what the application has done.
        head = _head(status, headers)
        return written.append

    response = application(environ, start_response)
    try:
        written.extend(response)
    finally:
        close = getattr(response, "close", None)
        if close is not None:
            close()
    return _response(head, b"".join(written), method=environ["REQUEST_METHOD"], keep_alive=keep_alive)


def refusal_bytes(refusal: Refusal, exchange: Exchange) -> bytes:
    """Make the response to a request that the server refuses, and count its bytes."""
    body = problem_body(refusal.status, refusal.detail, exchange.request_id)
    exchange.response_bytes = len(body)
    headers = [
        ("Content-Type", CONTENT_TYPE),
        ("X-Request-ID", exchange.request_id),
        ("X-Content-Type-Options", "nosniff"),
    ]
    if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("Retry-After", "1"))
    head = _head(f"{refusal.status} {title(refusal.status)}", headers)
    return _response(head, body, method=exchange.method, keep_alive=False)


def _head(status: str, headers: list[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status}", *[f"{name}: {value}" for name, value in headers]]
    head = "\r\n".join(lines)
    if head.count("\n") != len(headers) or head.count("\r") != len(headers):
        raise ValueError("a line break in a header")
    return head.encode("latin-1")


def _response(head: bytes, body: bytes, *, method: str, keep_alive: bool) -> bytes:
    lines = [head, _date(int(time.time()))]
    if head.startswith(BODILESS):
        body = b""
    elif b"\r\ncontent-length:" not in head.lower():
        lines.append(b"Content-Length: %d" % len(body))
    # HTTP/1.0 keeps a connection open only if both sides say so.
    lines.append(b"Connection: keep-alive\r\n\r\n" if keep_alive else b"Connection: close\r\n\r\n")
    if method != "HEAD":
        lines[-1] += body
    return b"\r\n".join(lines)


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return f"Date: {formatdate(second, usegmt=True)}".encode()


def _environ_key(name: bytes) -> str | None:
    # X_Forwarded_For would become the same key as X-Forwarded-For: a way around whoever filters the latter. An offer to
    # change the protocol may be ignored (RFC 9110, section 7.8), which Flask's routing would not do.
    if b"_" in name or name.lower() == b"upgrade":
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"


_remembered_key = lru_cache(maxsize=1024)(_environ_key)
