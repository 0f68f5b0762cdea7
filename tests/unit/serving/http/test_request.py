"""The environ of a request: each part where PEP 3333 puts it."""

import sys
from typing import Any

import pytest

from app.serving.http import request as module
from app.serving.http.limits import Limits
from app.serving.http.request import RECEIVED_AT, Request, base_environ, make_environ
from app.serving.http.request_reader import RequestReader

BASE = base_environ(5000, multithread=False, multiprocess=True)


def environ_of(data: bytes) -> dict[str, Any]:
    """Make the environ of a request as a client would send it."""
    reader = RequestReader(Limits(body_bytes=100), lambda: None)
    assert b"" == reader.feed(data, 1.0)
    reader.request.received = 2.0
    return make_environ(reader.request, "203.0.113.9", BASE)


def get(*fields: bytes, target: bytes = b"/") -> dict[str, Any]:
    """Make the environ of a GET with further fields."""
    return environ_of(b"\r\n".join([b"GET " + target + b" HTTP/1.1", b"Host: a", *fields, b"", b""]))


@pytest.mark.parametrize("multithread", [False, True])
@pytest.mark.parametrize("multiprocess", [False, True])
def test_base_environ(*, multithread: bool, multiprocess: bool) -> None:
    """What PEP 3333 requires and every request shares is there, with the way in which the application runs."""
    expected = {
        "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "5001",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": multithread,
        "wsgi.multiprocess": multiprocess,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    assert expected == base_environ(5001, multithread=multithread, multiprocess=multiprocess)


def test_environ() -> None:
    """Each part of a request is found where PEP 3333 puts it, beside the moment at which it had arrived."""
    environ = environ_of(
        b"POST /a/b?c=d&e=%20 HTTP/1.1\r\nHost: example:5000\r\nContent-Type: text/plain\r\nX-Two: 1\r\n"
        b"Content-Length: 3\r\nx-two: 2\r\nX-Latin: \xe9\r\n\r\nabc"
    )
    expected = {
        "REQUEST_METHOD": "POST",
        "RAW_URI": "/a/b?c=d&e=%20",
        "PATH_INFO": "/a/b",
        "QUERY_STRING": "c=d&e=%20",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "203.0.113.9",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "3",
        "HTTP_HOST": "example:5000",
        "HTTP_X_TWO": "1,2",
        "HTTP_X_LATIN": "é",
        RECEIVED_AT: 2.0,
    }
    assert expected == {key: environ[key] for key in expected}
    assert b"abc" == environ["wsgi.input"].read()
    assert expected.keys() | BASE.keys() | {"wsgi.input"} == environ.keys()


def test_requests_do_not_share_an_environ() -> None:
    """What one request leaves in its environ, the next does not see."""
    before = BASE.copy()
    get()["left"] = "behind"
    assert before == BASE


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", ""),
        (b"//a//b", "//a//b", ""),
        (b"/?", "/", ""),
        (b"/a?b?c", "/a", "b?c"),
        (b"/%C3%A9%2f%3F", "/\xc3\xa9/?", ""),
        (b"/%zz", "/%zz", ""),
        (b"/a?u=http://h/p", "/a", "u=http://h/p"),
        (b"http://h:80/p?q", "/p", "q"),
        (b"http://h", "/", ""),
        (b"http://h/", "/", ""),
        (b"http://h?q", "/", "q"),
    ],
)
def test_target(target: bytes, path: str, query: str) -> None:
    """The target is split at the first question mark and unquoted; of the absolute form this is the path."""
    environ = get(target=target)
    assert (path, query) == (environ["PATH_INFO"], environ["QUERY_STRING"])


@pytest.mark.parametrize(("first", "path"), [(b"OPTIONS *", "/*"), (b"CONNECT a:443", "/a:443")])
def test_targets_that_are_no_paths(first: bytes, path: str) -> None:
    """A path of WSGI begins with a slash, whatever the target is."""
    assert path == environ_of(first + b" HTTP/1.1\r\nHost: a\r\n\r\n")["PATH_INFO"]


@pytest.mark.parametrize(("target", "host"), [(b"/", "a"), (b"http://b:80/", "b:80"), (b"HTTPS://[::1]?a", "[::1]")])
def test_host(target: bytes, host: str) -> None:
    """The host of an absolute target counts, and not the one of the field."""
    assert host == get(target=target)["HTTP_HOST"]


def test_cookies() -> None:
    """A Cookie that a proxy has split is put together as cookies are."""
    assert "a=1; b=2" == get(b"Cookie: a=1", b"Cookie: b=2")["HTTP_COOKIE"]


def test_field_with_an_underscore_is_dropped() -> None:
    """No client can pass X_Forwarded_For off as X-Forwarded-For."""
    environ = get(b"X_Forwarded_For: 1.2.3.4", b"X-A: 1", b"X_A: 2")
    assert ("1", False) == (environ["HTTP_X_A"], "HTTP_X_FORWARDED_FOR" in environ)


def test_upgrade_is_dropped() -> None:
    """Flask does not see an offer to change the protocol, which it would take for a WebSocket."""
    assert "HTTP_UPGRADE" not in get(b"Connection: Upgrade", b"Upgrade: websocket")


@pytest.mark.parametrize(("size", "growth"), [(64, 1), (65, 0)])
def test_long_names_are_not_remembered(size: int, growth: int) -> None:
    """The long names of fields that a client has invented do not stay in memory."""
    name = "X" * size
    get()
    before = module._remembered_key.cache_info().currsize  # noqa: SLF001 - nothing else shows it
    assert "1" == get(f"{name}: 1".encode())[f"HTTP_{name}"]
    assert before + growth == module._remembered_key.cache_info().currsize  # noqa: SLF001


def test_protocol() -> None:
    """HTTP/1.0 is told from 1.1."""
    assert "HTTP/1.0" == environ_of(b"GET / HTTP/1.0\r\n\r\n")["SERVER_PROTOCOL"]


def test_environ_of_next_to_nothing() -> None:
    """A request of which only the beginning has arrived has an environ, for its log line."""
    environ = make_environ(Request(), "203.0.113.9", BASE)
    assert ("", "", "203.0.113.9") == (environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["REMOTE_ADDR"])
