"""The sum as a client sees it, and what the log and the metrics tell of it."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from prometheus_client import REGISTRY
from werkzeug.test import Client, TestResponse

from app import create_app
from app.settings import Settings
from app.sums.metrics import OUTCOMES

if TYPE_CHECKING:
    from tests.support.log_lines import Lines

SUM = b'{"data": ["1", "2"]}'
CURL = """curl -X POST -d '{"data": ["1", "2"]}' http://localhost/"""


@pytest.fixture
def app(log_lines: "Lines", make_settings: Callable[..., Settings]) -> Flask:  # noqa: ARG001 - before the application
    """Make an application that takes bodies of up to 100 bytes."""
    return create_app(make_settings(max_body_bytes=100))


@pytest.fixture
def client(app: Flask) -> Client:
    """Make a client of the application."""
    return app.test_client()


@pytest.fixture
def counted() -> Callable[[], dict[str, float]]:
    """Tell what has been counted since the start of the test, of what there is more than nothing."""

    def read() -> dict[str, float]:
        counts = {
            f"{name}_count": REGISTRY.get_sample_value(f"{name}_count") for name in ("sum_numbers", "sum_body_bytes")
        }
        for outcome in OUTCOMES:
            counts[outcome] = REGISTRY.get_sample_value("sum_requests_total", {"outcome": outcome})
        return {name: count or 0.0 for name, count in counts.items()}

    before = read()
    return lambda: {name: count - before[name] for name, count in read().items() if count > before[name]}


def problem(response: TestResponse) -> tuple[int, str]:
    """Give the status and the detail of an error."""
    assert "application/problem+json" == response.headers["Content-Type"]
    return response.status_code, json.loads(response.data)["detail"]


def test_routes(app: Flask) -> None:
    """The sum, the page, and the files of the page are all the routes that there are."""
    read = {"GET", "HEAD", "OPTIONS"}
    expected = [("/", read), ("/", {"OPTIONS", "POST"}), ("/static/<path:filename>", read)]
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("sums.")]
    assert expected == sorted(
        ((rule.rule, rule.methods) for rule in rules), key=lambda rule: (rule[0], sorted(rule[1]))
    )


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain", None]
)
def test_sum(client: Client, content_type: str | None) -> None:
    """The sum is one bare number and a newline, whatever the client calls its body."""
    response = client.post("/", data=SUM, content_type=content_type)
    assert (200, "application/json", b"3\n") == (response.status_code, response.headers["Content-Type"], response.data)


def test_sum_is_noted(client: Client, log_lines: "Lines", counted: Callable[[], dict[str, float]]) -> None:
    """Log and metrics learn route, outcome, count and sizes."""
    client.post("/", data=SUM, headers={"User-Agent": "curl/8"}, buffered=True)
    line = log_lines.only
    expected = ("/", "POST", 200, 2, len(SUM), 2, "curl/8")
    keys = ("route", "method", "status", "numbers", "request_bytes", "response_bytes", "user_agent")
    assert expected == tuple(line[key] for key in keys)
    assert {"ok": 1, "sum_numbers_count": 1, "sum_body_bytes_count": 1} == counted()


@pytest.mark.parametrize(
    ("body", "status", "outcome", "detail"),
    [
        (b"", 400, "malformed", 'the body is empty: send one like {"data": ["1", "2"]}'),
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
    client: Client,
    log_lines: "Lines",
    counted: Callable[[], dict[str, float]],
    body: bytes,
    status: int,
    outcome: str,
    detail: str,
) -> None:
    """A body that is not added is answered by what is wrong with it, and counted by its outcome."""
    assert (status, detail) == problem(client.post("/", data=body, buffered=True))
    line = log_lines.only
    assert (status, None, "/") == (line["status"], line["numbers"], line["route"])
    assert line["reason"]
    read = {} if status == 413 else {"sum_body_bytes_count": 1}
    assert {outcome: 1} | read == counted()


def test_body_that_is_cut_short(client: Client, counted: Callable[[], dict[str, float]]) -> None:
    """A client that is gone before it has sent all that it announced has an outcome, too."""
    assert 400 == client.post("/", data=SUM, environ_overrides={"CONTENT_LENGTH": "50"}).status_code
    assert {"malformed": 1} == counted()


@pytest.mark.parametrize(("size", "status"), [(99, 200), (100, 200), (101, 413), (10_000, 413)])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_body_limit(
    client: Client, counted: Callable[[], dict[str, float]], size: int, status: int, is_chunked: bool
) -> None:
    """A body of just the limit is read, one byte more is not, by its Content-Length or without one."""
    body = SUM.ljust(size)
    arguments: dict[str, Any] = {"data": body}
    if is_chunked:
        arguments |= {"headers": {"Transfer-Encoding": "chunked"}, "environ_overrides": {"wsgi.input_terminated": True}}
    response = client.post("/", **arguments)
    assert status == response.status_code
    assert 1 == counted()["ok" if status == 200 else "too_large"]


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip", "GZIP", "zstd"])
def test_content_encoding(client: Client, counted: Callable[[], dict[str, float]], encoding: str) -> None:
    """Compressed bodies are not read; the answer says what is (RFC 9110, section 15.5.16)."""
    response = client.post("/", data=SUM, headers={"Content-Encoding": encoding})
    assert (415, "Content-Encoding: compressed bodies are not read") == problem(response)
    assert "identity" == response.headers["Accept-Encoding"]
    assert {"unsupported": 1} == counted()


@pytest.mark.parametrize("encoding", ["", "identity", "Identity"])
def test_no_content_encoding(client: Client, encoding: str) -> None:
    """An encoding that changes nothing is none; its name is case-insensitive (RFC 9110, section 8.4.1)."""
    assert 200 == client.post("/", data=SUM, headers={"Content-Encoding": encoding}).status_code


def test_usage(client: Client, log_lines: "Lines", counted: Callable[[], dict[str, float]]) -> None:
    """A client that comes with GET is shown the curl line that works."""
    response = client.get("/", buffered=True)
    assert (405, f"GET is not allowed here; to add numbers: {CURL}") == problem(response)
    assert "POST, OPTIONS" == response.headers["Allow"]
    assert ("/", 405) == (log_lines.only["route"], log_lines.only["status"])
    assert {} == counted()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "BREW"])
def test_wrong_method(client: Client, log_lines: "Lines", method: str) -> None:
    """Other methods are refused with those that there are; the route is known all the same."""
    response = client.open("/", method=method, buffered=True)
    assert (405, f"{method} is not allowed here") == problem(response)
    assert {"GET", "HEAD", "OPTIONS", "POST"} == set(response.headers["Allow"].split(", "))
    assert "/" == log_lines.only["route"]


def test_curl_line_behind_a_proxy(client: Client) -> None:
    """The curl line has scheme, host and prefix as a trusted proxy gives them."""
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example", "X-Forwarded-Prefix": "/sums"}
    assert problem(client.get("/", headers=headers))[1].endswith(" https://shop.example/sums/")


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
