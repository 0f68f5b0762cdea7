"""A request, from its first byte on, and the WSGI environ that is made from it."""

import io
import re
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

# The time at which a request was complete, in seconds of time.monotonic(): the application's clock starts there.
RECEIVED_AT = "request.received_at"

# What is known of a request that was rejected before it was complete: the time of its first byte, and how much of its
# body has arrived.
STARTED_AT = "request.started_at"
BODY_BYTES = "request.body_bytes"

_ORIGIN_OF_ABSOLUTE = re.compile("[^:/?]*://([^/?]*)/?")

# Names up to this size are cached with their keys. A thousand names of 8 kB would take 20 MB permanently.
_REMEMBERED_NAME_BYTES = 64


@dataclass(slots=True)
class Request:
    """What has arrived of a request. Method and target are empty until the request line has been parsed.

    Field names are in lower case. `body` holds at most the limit and one read more. `started` and `received` are the
    times of the first and the last byte, from time.monotonic().
    """

    started: float = 0.0
    received: float = 0.0
    method: str = ""
    target: str = ""
    is_http_1_0: bool = False
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    has_head: bool = False
    content_length: int = 0
    is_chunked: bool = False
    keep_alive: bool = False
    expects_continue: bool = False
    body: bytes | bytearray = b""
    is_too_large: bool = False


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


def make_environ(request: Request, peer: str, base: "WSGIEnvironment") -> "WSGIEnvironment":
    """Make the environ of a request (PEP 3333), or of the known part of a rejected one."""
    environ = base.copy()
    target = environ["RAW_URI"] = request.target  # As gunicorn has it: `%2F` and `/` differ here.
    absolute = None if target.startswith("/") else _ORIGIN_OF_ABSOLUTE.match(target)
    if absolute:
        # The form http://host/path, which clients send to proxies.
        target = "/" + target[absolute.end() :]
    elif target and not target.startswith("/"):
        target = f"/{target}"  # `*`, and the host of a CONNECT: a WSGI path is empty or begins with a slash.
    path, _, query = target.partition("?")
    environ["REQUEST_METHOD"] = request.method
    environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1") if "%" in path else path
    environ["QUERY_STRING"] = query
    environ["SERVER_PROTOCOL"] = "HTTP/1.0" if request.is_http_1_0 else "HTTP/1.1"
    environ["REMOTE_ADDR"] = peer
    environ["wsgi.input"] = io.BytesIO(request.body)
    environ[RECEIVED_AT] = request.received
    for name, value in request.fields:
        key = _remembered_key(name) if len(name) <= _REMEMBERED_NAME_BYTES else _environ_key(name)
        if key in environ:
            # RFC 6265, section 5.4: a proxy may have split a Cookie, whose pairs are not separated by commas.
            environ[key] += ("; " if key == "HTTP_COOKIE" else ",") + value.decode("latin-1")
        elif key:
            environ[key] = value.decode("latin-1")
    if absolute:
        environ["HTTP_HOST"] = absolute[1]  # Whatever Host says (RFC 9112, section 3.2.2).
    return environ


def _environ_key(name: bytes) -> str | None:
    # X_Forwarded_For would become the same key as X-Forwarded-For, which a proxy filters. Upgrade is ignored (RFC 9110,
    # section 7.8): Flask's routing would take it for a WebSocket.
    if b"_" in name or name == b"upgrade":
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"


_remembered_key = lru_cache(maxsize=1024)(_environ_key)
