"""The application: what it answers, by every status that it has, and what its log tells of it."""

import json
import platform
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask, abort
from werkzeug.test import Client, TestResponse

from app import create_app
from app.observability.scoreboard import Scoreboard, WorkerState
from app.settings import SettingError, Settings
from app.version import __version__
from app.web import probes
from tests.support import example

if TYPE_CHECKING:
    from tests.support.log_lines import Lines

HOUSE = ("/healthz", "/openapi.json", "/readyz", "/version")


@pytest.fixture
def app(log_lines: "Lines", make_settings: Callable[..., Settings]) -> Flask:  # noqa: ARG001 - before the application
    """Make an application that takes bodies of up to 100 bytes."""
    return create_app(make_settings(max_body_bytes=100, revision="abc123"))


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


@pytest.mark.parametrize("path", HOUSE)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "BREW"])
def test_wrong_method(client: Client, log_lines: "Lines", path: str, method: str) -> None:
    """What is only read has GET, HEAD and Flask's OPTIONS; the route is known for other methods, too."""
    response = client.open(path, method=method)
    assert (405, f"{method} is not allowed here") == problem(response)
    assert {"GET", "HEAD", "OPTIONS"} == set(response.headers["Allow"].split(", "))
    assert path == log_lines.only["route"]


@pytest.mark.parametrize("path", [*HOUSE, example.ROUTE])
def test_options(client: Client, path: str) -> None:
    """OPTIONS lists the methods, as Flask does it."""
    response = client.options(path)
    assert (200, b"") == (response.status_code, response.data)
    assert "OPTIONS" in response.headers["Allow"].split(", ")


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/healthz/", "/../etc", "/a\nb", "/metrics", "/favicon.ico", "h:443"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "BREW"])
def test_no_such_path(client: Client, log_lines: "Lines", path: str, method: str) -> None:
    """No other path exists, and none is a redirection; all of them are one route."""
    assert 404 == problem(client.open("/", method=method, environ_overrides={"PATH_INFO": path}))[0]
    assert "unmatched" == log_lines.only["route"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes(client: Client, log_lines: "Lines", path: str) -> None:
    """A service that runs is alive and ready."""
    response = client.get(path)
    assert (200, b"ok\n", path) == (response.status_code, response.data, log_lines.only["route"])


def test_stop_withdraws_readiness_and_not_liveness(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the moment that a stop has begun the service is unready, alive, and still works."""
    board = Scoreboard(1)
    board.set_state(board.take(11), WorkerState.LEAVING)
    monkeypatch.setattr(probes, "scoreboard", board)
    response = client.get("/readyz")
    assert (503, "shutting down") == problem(response)
    assert "1" == response.headers["Retry-After"]
    assert 200 == client.get("/healthz").status_code
    assert example.ANSWER == client.open(example.ROUTE, method=example.METHOD, data=example.BODY).data


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


@pytest.mark.parametrize("path", [*HOUSE, example.ROUTE, "/nowhere"])
def test_head(client: Client, path: str) -> None:
    """HEAD answers what GET does, without a body."""
    with_body, without = client.get(path), client.head(path)
    assert (with_body.status_code, b"") == (without.status_code, without.data)
    assert with_body.headers["Content-Type"] == without.headers["Content-Type"]


@pytest.mark.parametrize(
    ("method", "path", "arguments"),
    [
        (example.METHOD, example.ROUTE, {"data": example.BODY}),
        (example.METHOD, example.ROUTE, {"data": example.BAD_BODY}),
        (example.METHOD, example.ROUTE, {"data": example.BODY, "headers": {"Content-Encoding": "gzip"}}),
        (example.METHOD, example.ROUTE, {"data": example.BODY.ljust(101)}),
        (example.WRONG_METHOD, example.ROUTE, {}),
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


def test_bad_request_id_is_replaced(client: Client, log_lines: "Lines") -> None:
    """An id that could harm is replaced; header, body and log agree on the new one."""
    response = client.get("/nowhere", headers={"X-Request-ID": 'a"b c'})
    request_id = log_lines.only["request_id"]
    assert request_id == response.headers["X-Request-ID"] == json.loads(response.data)["request_id"]
    assert 32 == len(request_id)


def fail() -> None:
    """Raise what no handler expects."""
    raise LookupError("secret")


def test_bug(app: Flask, client: Client, log_lines: "Lines") -> None:
    """A bug is answered without any internals; the log has its traceback under the same request id."""
    app.add_url_rule("/bug", view_func=fail)
    response = client.get("/bug")
    assert (500, "internal error") == problem(response)
    assert b"secret" not in response.data
    assert b"LookupError" not in response.data
    bug, line = log_lines.json
    assert ("error", response.headers["X-Request-ID"]) == (bug["level"], bug["request_id"])
    assert bug["traceback"].endswith("LookupError: secret\n")
    assert ("/bug", 500, "LookupError", "unhandled exception") == (
        line["route"],
        line["status"],
        line["error"],
        line["reason"],
    )


def test_abort_in_a_hook(app: Flask, client: Client, log_lines: "Lines") -> None:
    """An abort() that Flask does not handle, since it comes after the view, is the bug that the line names."""
    app.add_url_rule("/bug", view_func=lambda: "")
    app.after_request(lambda _: abort(404))
    assert (500, "internal error") == problem(client.get("/bug"))
    line = log_lines.json[-1]
    assert (500, "NotFound", "unhandled exception") == (line["status"], line["error"], line["reason"])


def test_bug_in_debug_mode_is_left_to_the_debugger(app: Flask, client: Client) -> None:
    """In debug mode and in tests, as Flask documents it, an exception is not answered but raised."""
    app.add_url_rule("/bug", view_func=fail)
    app.debug = True
    with pytest.raises(LookupError):
        client.get("/bug")


def test_every_error_has_a_reason(app: Flask, client: Client, log_lines: "Lines") -> None:
    """The line of a request says why it failed, in words that are not the client's."""
    app.add_url_rule("/abort", "abort", view_func=lambda: abort(409, "what the client said"))
    app.add_url_rule("/own", "own", view_func=lambda: ("what the view says", 498))
    for path in ("/abort", "/own", "/nowhere", "/version"):
        client.get(path)
    assert ["Conflict", "Unknown Status", "Not Found", None] == [line.get("reason") for line in log_lines.json]


def test_client_behind_a_proxy(log_lines: "Lines", make_settings: Callable[..., Settings]) -> None:
    """The setting decides which proxies are believed."""
    for trusted in ("127.0.0.1", "192.0.2.1"):
        app = create_app(make_settings(forwarded_allow_ips=trusted))
        ClosingClient(app).get("/healthz", headers={"X-Forwarded-For": "198.51.100.1"})
    assert ["198.51.100.1", "127.0.0.1"] == [line["client"] for line in log_lines.json]


def test_routes(app: Flask) -> None:
    """Every service has the routes of the contract beside its own ones."""
    expected = {path: {"GET", "HEAD", "OPTIONS"} for path in HOUSE} | {"/*": {"OPTIONS"}}
    assert expected.items() <= {rule.rule: rule.methods for rule in app.url_map.iter_rules()}.items()


def test_options_of_the_whole_server(app: Flask) -> None:
    """`OPTIONS *` lists the methods of all paths."""
    response = app.test_client().open("*", method="OPTIONS")
    methods = set().union(*(rule.methods or () for rule in app.url_map.iter_rules()))
    assert (200, sorted(methods), b"") == (response.status_code, response.headers["Allow"].split(", "), response.data)


def test_settings_of_the_environment(log_lines: "Lines", monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """Without an argument the application reads the environment."""
    monkeypatch.setenv("MAX_BODY_BYTES", "17")
    assert 17 == create_app().config["MAX_CONTENT_LENGTH"]
    monkeypatch.setenv("MAX_BODY_BYTES", "many")
    with pytest.raises(SettingError):
        create_app()
