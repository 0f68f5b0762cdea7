"""The application: what it answers, by every status that it has, and what is told of it."""

import json
import platform
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask, abort
from werkzeug.test import Client, TestResponse

from app import create_app
from app.exchange import Exchange
from app.readiness import Readiness
from app.settings import Settings
from app.version import __version__

if TYPE_CHECKING:
    from tests.support.log_lines import Lines

SUM = b'{"data": ["1", "2"]}'
CURL = """curl -X POST -d '{"data": ["1", "2"]}' http://localhost/"""


class Ended(list[Exchange]):
    """An observer that keeps the requests that have ended."""

    def started(self) -> None:
        """Do nothing."""

    def finished(self, exchange: Exchange) -> None:
        """Keep the request."""
        self.append(exchange)

    def rejected(self, exchange: Exchange) -> None:
        """Keep the request."""
        self.append(exchange)


@pytest.fixture
def ended() -> Ended:
    """Collect the requests that have ended."""
    return Ended()


@pytest.fixture
def readiness() -> Readiness:
    """Give the readiness of the application."""
    return Readiness()


@pytest.fixture
def app(make_settings: Callable[..., Settings], readiness: Readiness, ended: Ended) -> Flask:
    """Make an application that takes bodies of up to 100 bytes."""
    return create_app(make_settings(max_body_bytes=100, revision="abc123"), readiness, [ended])


class ClosingClient(Client):
    """A client that reads and closes each response, as a server does: that is when a request ends."""

    def open(self, *arguments: Any, **options: Any) -> TestResponse:
        """Send a request from 127.0.0.1."""
        options.setdefault("environ_base", {"REMOTE_ADDR": "127.0.0.1"})
        return super().open(*arguments, buffered=True, **options)


@pytest.fixture
def client(app: Flask) -> Client:
    """Make a client of the application."""
    return ClosingClient(app)


def problem(response: TestResponse) -> tuple[int, str]:
    """Check the form of an error, and give its status and detail."""
    assert "application/problem+json" == response.headers["Content-Type"]
    body = json.loads(response.data)
    assert ["type", "title", "status", "detail", "request_id"] == list(body)
    assert ("about:blank", response.status_code) == (body["type"], body["status"])
    assert response.headers["X-Request-ID"] == body["request_id"]
    assert response.data.endswith(b"}\n")
    return response.status_code, body["detail"]


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain", None]
)
def test_sum(client: Client, content_type: str | None) -> None:
    """The sum is one bare number and a newline, whatever the client calls its body."""
    response = client.post("/", data=SUM, content_type=content_type)
    assert (200, "application/json", b"3\n") == (response.status_code, response.headers["Content-Type"], response.data)


def test_sum_is_noted(client: Client, ended: Ended) -> None:
    """The measuring point learns route, outcome, count and sizes."""
    client.post("/", data=SUM, headers={"User-Agent": "curl/8"})
    (exchange,) = ended
    expected = ("/", "POST", 200, "ok", 2, len(SUM), 2, "curl/8", None)
    assert expected == (
        exchange.route,
        exchange.method,
        exchange.status,
        exchange.outcome,
        exchange.numbers,
        exchange.request_bytes,
        exchange.response_bytes,
        exchange.user_agent,
        exchange.error,
    )


@pytest.mark.parametrize(
    ("body", "status", "outcome", "detail"),
    [
        (b"", 400, "malformed", "not JSON: Input data was truncated"),
        (b'{"data": [1]', 400, "malformed", "not JSON: Input data was truncated"),
        (b'{"data": ["\xff"]}', 400, "malformed", "not UTF-8: byte 11"),
        (b"{}", 422, "not_numbers", 'no list "data": the body must be like {"data": ["1", "2"]}'),
        (b'{"data": [1, 2, "abc"]}', 422, "not_numbers", 'data[2]: not a number: "abc"'),
        (b'{"data": [1e1001]}', 422, "out_of_range", "data[0]: out of range: 1e1001"),
        (b'{"data": ["' + "é".encode() * 10 + b'"]}', 422, "not_numbers", 'data[0]: not a number: "éééééééééé"'),
        (b'{"data": [' + b"1," * 50 + b"1]}", 413, "too_large", "the body is larger than 100 bytes"),
    ],
)
def test_refused_body(  # noqa: PLR0913, PLR0917 - the columns of the table
    client: Client, ended: Ended, body: bytes, status: int, outcome: str, detail: str
) -> None:
    """A body that is not added is answered by what is wrong with it, and counted by its outcome."""
    assert (status, detail) == problem(client.post("/", data=body))
    (exchange,) = ended
    assert (status, outcome, None, "/") == (exchange.status, exchange.outcome, exchange.numbers, exchange.route)


@pytest.mark.parametrize(("size", "status"), [(99, 200), (100, 200), (101, 413), (10_000, 413)])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_body_limit(client: Client, ended: Ended, size: int, status: int, is_chunked: bool) -> None:
    """A body of just the limit is read, one byte more is not, by its Content-Length or without one."""
    body = SUM.ljust(size)
    arguments: dict[str, Any] = {"data": body}
    if is_chunked:
        arguments |= {"headers": {"Transfer-Encoding": "chunked"}, "environ_overrides": {"wsgi.input_terminated": True}}
    response = client.post("/", **arguments)
    assert status == response.status_code
    assert ("ok" if status == 200 else "too_large") == ended[0].outcome


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip", "GZIP", "zstd"])
def test_content_encoding(client: Client, encoding: str) -> None:
    """Compressed bodies are not read."""
    response = client.post("/", data=SUM, headers={"Content-Encoding": encoding})
    assert (415, "Content-Encoding: compressed bodies are not read") == problem(response)


@pytest.mark.parametrize("encoding", ["", "identity", "Identity"])
def test_no_content_encoding(client: Client, encoding: str) -> None:
    """An encoding that changes nothing is none; its name is case-insensitive (RFC 9110, section 8.4.1)."""
    assert 200 == client.post("/", data=SUM, headers={"Content-Encoding": encoding}).status_code


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"])
def test_wrong_method_of_the_sum(client: Client, ended: Ended, method: str) -> None:
    """Whoever comes with another method is shown the curl line that works; the route is known all the same."""
    response = client.open("/", method=method)
    assert (405, f"{method} is not allowed here; to add numbers: {CURL}") == problem(response)
    assert "POST" == response.headers["Allow"]
    assert ("/", 405, None) == (ended[0].route, ended[0].status, ended[0].outcome)


def test_curl_line_has_the_port_that_the_client_used(client: Client) -> None:
    """The curl line works where the client is, behind a port mapping included."""
    response = client.get("/", headers={"Host": "127.0.0.1:8080"})
    assert problem(response)[1].endswith(" http://127.0.0.1:8080/")


@pytest.mark.parametrize("host", ["", "a b", "a'; rm -rf /", "é", "<script>", "a:99999999", "a." * 33])
def test_curl_line_is_whole_for_any_host(client: Client, host: str) -> None:
    """A Host header that is no host neither gets into the curl line nor breaks it."""
    detail = problem(client.get("/", headers={"Host": host}))[1]
    assert "http:///" not in detail
    assert not host or host not in detail


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/version", "/openapi.json"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_wrong_method_elsewhere(client: Client, ended: Ended, path: str, method: str) -> None:
    """What is only read has GET and HEAD."""
    response = client.open(path, method=method)
    assert (405, f"{method} is not allowed here") == problem(response)
    assert {"GET", "HEAD"} == set(response.headers["Allow"].split(", "))
    assert path == ended[0].route


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/healthz/", "/x//healthz", "/../etc", "/a\nb", "/static/x", "/metrics", "/favicon.ico", "*", "h:443"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "BREW"])
def test_no_such_path(client: Client, ended: Ended, path: str, method: str) -> None:
    """No other path exists, and none is a redirection; all of them are one route."""
    assert 404 == problem(client.open("/", method=method, environ_overrides={"PATH_INFO": path}))[0]
    assert ("unmatched", 404) == (ended[0].route, ended[0].status)


def test_slashes_in_front_count_as_one(client: Client, ended: Ended) -> None:
    """A doubled slash in front, as a careless join of addresses makes it, is answered and not redirected."""
    response = client.post("/", data=SUM, environ_overrides={"PATH_INFO": "//"})
    assert (200, b"3\n", "/", "//") == (response.status_code, response.data, ended[0].route, ended[0].path)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes(client: Client, ended: Ended, path: str) -> None:
    """A service that runs is alive and ready."""
    response = client.get(path)
    assert (200, b"ok\n", path) == (response.status_code, response.data, ended[0].route)


def test_stop_withdraws_readiness_and_not_liveness(client: Client, readiness: Readiness) -> None:
    """From the moment that a stop has begun the service is unready, alive, and still adds."""
    readiness.withdraw()
    response = client.get("/readyz")
    assert (503, "shutting down") == problem(response)
    assert "1" == response.headers["Retry-After"]
    assert 200 == client.get("/healthz").status_code
    assert b"3\n" == client.post("/", data=SUM).data


def test_version(client: Client) -> None:
    """The version says what runs."""
    expected = {"version": __version__, "revision": "abc123", "python": platform.python_version()}
    assert expected == client.get("/version").json


def test_openapi(client: Client) -> None:
    """The description of the interface is JSON of OpenAPI 3.1."""
    response = client.get("/openapi.json")
    assert ("application/json", 200) == (response.headers["Content-Type"], response.status_code)
    assert response.json is not None
    assert response.json["openapi"].startswith("3.1.")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/version", "/openapi.json", "/", "/nowhere"])
def test_head(client: Client, path: str) -> None:
    """HEAD answers what GET does, without a body."""
    with_body, without = client.get(path), client.head(path)
    assert (with_body.status_code, b"") == (without.status_code, without.data)
    assert with_body.headers["Content-Type"] == without.headers["Content-Type"]


@pytest.mark.parametrize(
    ("method", "path", "arguments"),
    [
        ("POST", "/", {"data": SUM}),
        ("POST", "/", {"data": b"x"}),
        ("POST", "/", {"data": SUM, "headers": {"Content-Encoding": "gzip"}}),
        ("POST", "/", {"data": SUM.ljust(101)}),
        ("GET", "/", {}),
        ("GET", "/nowhere", {}),
        ("GET", "/healthz", {}),
        ("GET", "/version", {}),
        ("GET", "/openapi.json", {}),
        ("HEAD", "/healthz", {}),
    ],
)
def test_headers_of_every_answer(client: Client, method: str, path: str, arguments: dict[str, Any]) -> None:
    """Every answer carries a request id and forbids sniffing, and none tells what serves it."""
    headers = arguments.get("headers", {}) | {"X-Request-ID": "my-id"}
    response = client.open(path, method=method, **{**arguments, "headers": headers})
    assert (["my-id"], ["nosniff"]) == (
        response.headers.getlist("X-Request-ID"),
        response.headers.getlist("X-Content-Type-Options"),
    )
    assert "Server" not in response.headers


def test_bad_request_id_is_replaced(client: Client, ended: Ended) -> None:
    """An id that could harm is replaced; header, body and log agree on the new one."""
    response = client.get("/nowhere", headers={"X-Request-ID": 'a"b c'})
    assert ended[0].request_id == response.headers["X-Request-ID"] == json.loads(response.data)["request_id"]
    assert 32 == len(ended[0].request_id)


def fail() -> None:
    """Raise what no handler expects."""
    raise LookupError("secret")


def test_bug(app: Flask, client: Client, ended: Ended, log_lines: "Lines") -> None:
    """A bug is answered without any internals; the log has its traceback under the same request id."""
    app.add_url_rule("/bug", view_func=fail)
    response = client.get("/bug")
    assert (500, "internal error") == problem(response)
    assert b"secret" not in response.data
    assert b"LookupError" not in response.data
    line = log_lines.only
    assert ("error", response.headers["X-Request-ID"]) == (line["level"], line["request_id"])
    assert line["traceback"].endswith("LookupError: secret\n")
    assert ("/bug", 500, "LookupError") == (ended[0].route, ended[0].status, ended[0].error)


@pytest.mark.parametrize("status", [400, 403, 410, 418, 429, 500, 501, 503])
def test_other_errors(app: Flask, client: Client, status: int) -> None:
    """Whatever status a view may choose, the form of the answer is the same."""
    app.add_url_rule("/other", view_func=lambda: abort(status, description="why"))
    assert (status, "why") == problem(client.get("/other"))


def test_client_behind_a_proxy(make_settings: Callable[..., Settings], readiness: Readiness, ended: Ended) -> None:
    """The setting decides which proxies are believed."""
    app = create_app(make_settings(forwarded_allow_ips="127.0.0.1"), readiness, [ended])
    ClosingClient(app).get("/healthz", headers={"X-Forwarded-For": "198.51.100.1"})
    assert "198.51.100.1" == ended[0].client


def test_routes(app: Flask) -> None:
    """There are no other routes than those of the contract."""
    expected = {
        "/": {"POST"},
        **{path: {"GET", "HEAD"} for path in ("/healthz", "/readyz", "/version", "/openapi.json")},
    }
    assert expected == {rule.rule: rule.methods for rule in app.url_map.iter_rules()}
