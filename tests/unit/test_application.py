"""The application: what it leaves out of Flask is missed by nobody who uses Flask."""

from collections.abc import Callable

import pytest
from blinker import NamedSignal
from flask import (
    after_this_request,
    appcontext_popped,
    appcontext_pushed,
    g,
    request,
    request_finished,
    request_started,
    request_tearing_down,
    session,
    url_for,
)

from app.application import Application
from app.exchange import ENVIRON_KEY, UNMATCHED, Exchange
from app.response import Response


@pytest.fixture
def app() -> Application:
    """Make an application with a fixed path and one with a variable."""
    app = Application(__name__, static_folder=None)
    app.add_url_rule("/", "index", lambda: Response("index"), methods=["GET", "POST"])
    app.add_url_rule("/items/<int:number>", "item", lambda number: f"item {number}")
    app.add_url_rule("/folder/", "folder", lambda: "folder")
    return app


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/", 200, "index"),
        ("POST", "/", 200, "index"),
        ("HEAD", "/", 200, ""),
        ("GET", "/items/7", 200, "item 7"),
        ("HEAD", "/items/7", 200, ""),
    ],
)
def test_answer(app: Application, method: str, path: str, status: int, body: str) -> None:
    """A fixed path, one with a variable, and HEAD, whose answer has no body but its length."""
    response = app.test_client().open(path, method=method)
    assert (status, body) == (response.status_code, response.text)
    assert len("index") <= int(response.headers["Content-Length"])


@pytest.mark.parametrize(
    ("method", "path", "status"), [("PUT", "/", 405), ("GET", "/items/x", 404), ("GET", "/folder", 308)]
)
def test_routing(app: Application, method: str, path: str, status: int) -> None:
    """What no fixed rule answers for is left to Flask."""
    assert status == app.test_client().open(path, method=method).status_code


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/", "/"),
        ("GET", "/items/7", "/items/<int:number>"),
        ("GET", "/items/8", "/items/<int:number>"),
        ("GET", "/none", UNMATCHED),
        ("PUT", "/", UNMATCHED),
    ],
)
def test_route(app: Application, method: str, path: str, route: str) -> None:
    """The exchange learns the rule, not the path."""
    exchange = Exchange("id", method, path, "127.0.0.1", "test")
    app.test_client().open(path, method=method, environ_overrides={ENVIRON_KEY: exchange})
    assert route == exchange.route


def test_redirect_leads_to_the_host_that_was_asked(app: Application) -> None:
    """A path without its slash at the end is sent to the one with it, where the client is."""
    response = app.test_client().get("/folder", base_url="http://example.org:8080")
    assert "http://example.org:8080/folder/" == response.headers["Location"]


def test_hooks(app: Application) -> None:
    """Hooks are called in the order of Flask, with the context that they need."""
    called = []

    def note(name: str) -> Callable[..., None]:
        return lambda *_: called.append((name, request.path))

    def note_response(name: str) -> Callable[[Response], Response]:
        return lambda response: called.append((name, request.path)) or response  # type: ignore[func-returns-value]

    app.url_value_preprocessor(note("url_value_preprocessor"))
    app.before_request(note("before_request"))
    app.before_request(lambda: after_this_request(note_response("after_this_request")) and None)  # type: ignore[func-returns-value]
    app.after_request(note_response("after_request"))
    app.teardown_request(note("teardown_request"))
    assert "index" == app.test_client().get("/").text
    names = ["url_value_preprocessor", "before_request", "after_this_request", "after_request", "teardown_request"]
    assert [(name, "/") for name in names] == called


def test_hook_answers_in_place_of_the_view(app: Application) -> None:
    """What a hook returns is the response."""
    app.before_request(lambda: "closed")
    assert "closed" == app.test_client().get("/").text


@pytest.mark.parametrize(
    "signal", [appcontext_pushed, appcontext_popped, request_started, request_finished, request_tearing_down]
)
def test_signals(app: Application, signal: NamedSignal) -> None:
    """Whoever has connected to a signal of Flask's is told."""
    told = []

    def note(sender: Application, **_: object) -> None:
        told.append(sender)

    with signal.connected_to(note):
        app.test_client().get("/")
    assert [app] == told


def test_context(app: Application) -> None:
    """The proxies of Flask work in a view, and outside of a request in the contexts that Flask offers."""
    app.add_url_rule("/link", "link", lambda: setattr(g, "seen", url_for("item", number=3)) or g.seen)
    assert "/items/3" == app.test_client().get("/link").text
    with app.test_request_context("/items/5"):
        assert ("item", {"number": 5}) == (request.endpoint, request.view_args)


def test_no_session(app: Application) -> None:
    """A session can't be written, and Flask's own message says so; nothing is kept from one request to the next."""
    app.add_url_rule("/write", "write", lambda: session.update(a=1))
    app.testing = True
    with pytest.raises(RuntimeError, match="no secret key was set"):
        app.test_client().get("/write")
    assert "Set-Cookie" not in app.test_client().get("/").headers


def test_errors(app: Application) -> None:
    """Error handlers answer for what a view raises."""
    app.register_error_handler(ZeroDivisionError, lambda error: (str(error), 400))
    app.add_url_rule("/divide", "divide", lambda: str(1 // 0))
    response = app.test_client().get("/divide")
    assert (400, "integer division or modulo by zero") == (response.status_code, response.text)
