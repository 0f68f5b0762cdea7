"""Problems: whatever is raised is answered in one form, with the description that a view has given."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask, Response, abort, request
from markupsafe import Markup
from werkzeug.exceptions import BadRequest, HTTPException, MethodNotAllowed, SecurityError, TooManyRequests

from app.observability.middleware import init_app as measure
from app.settings import Settings
from app.web import problems
from app.web.problems import Problem


@pytest.fixture
def app() -> Flask:
    """Make an application that answers problems, and that nothing measures."""
    app = Flask("problems", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = 10
    problems.init_app(app)
    return app


def detail(app: Flask, view: Callable[[], object], **arguments: object) -> tuple[int, str]:
    """Give status and detail of what a view raises."""
    app.add_url_rule("/view", "view", view, methods=["GET", "POST"])
    response = app.test_client().open("/view", **arguments)
    assert "application/problem+json" == response.headers["Content-Type"]
    body = json.loads(response.data)
    assert ["type", "title", "status", "detail", "request_id"] == list(body)
    assert response.status_code == body["status"]
    return body["status"], body["detail"]


def raising(error: Exception) -> Callable[[], object]:
    """Make a view that raises."""

    def view() -> object:
        raise error

    return view


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Problem(422, "data[2]: not a number", reason="an element is not a number"), (422, "data[2]: not a number")),
        (Problem(499, "mine"), (499, "mine")),
        (Problem(404, ""), (404, "not found")),
        (BadRequest(ValueError("3 is no color")), (400, "3 is no color")),  # type: ignore[arg-type]
        (BadRequest(Markup("no <b>")), (400, "no <b>")),
        (BadRequest([Decimal(1)]), (400, "[Decimal('1')]")),  # type: ignore[arg-type]
        (MethodNotAllowed(), (405, "GET is not allowed here")),
        (SecurityError("Host 'evil' is not trusted"), (400, "this host is not served")),
        (TooManyRequests(), (429, "Too Many Requests")),
        (TooManyRequests("once a day"), (429, "once a day")),
        (LookupError("secret"), (500, "internal error")),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_detail(app: Flask, error: Exception, expected: tuple[int, str]) -> None:
    """The detail is the description that was given; werkzeug's own texts are replaced by ours."""
    assert expected == detail(app, raising(error))


@pytest.mark.parametrize(
    ("view", "size", "expected"),
    [
        (lambda: request.get_data(), 11, "the body is larger than 10 bytes"),  # noqa: PLW0108 - there is no request yet
        (lambda: abort(413), 3, "Content Too Large"),
        (lambda: abort(413, "mine"), 3, "mine"),
    ],
)
def test_detail_of_a_large_body(app: Flask, view: Callable[[], object], size: int, expected: str) -> None:
    """A body that is too large is told the limit, where it is the limit that it exceeds."""
    assert (413, expected) == detail(app, view, method="POST", data=b"x" * size)


def test_headers_of_an_error(app: Flask) -> None:
    """An error's own headers are on the answer, and its content type is not."""
    app.add_url_rule("/a", "a", raising(Problem(415, "no", headers=[("Accept-Encoding", "identity")])))
    app.add_url_rule("/b", "b", raising(TooManyRequests(retry_after=7)))
    client = app.test_client()
    assert "identity" == client.get("/a").headers["Accept-Encoding"]
    assert "7" == client.get("/b").headers["Retry-After"]


def test_headers_of_one_name(app: Flask) -> None:
    """All of them are on the answer."""
    cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    app.add_url_rule("/view", "view", raising(Problem(400, "no", headers=cookies)))
    assert ["a=1", "b=2"] == app.test_client().get("/view").headers.getlist("Set-Cookie")


@pytest.mark.parametrize(
    "arguments", [(Response("mine", 418),), (418, None, Response("mine", 418))], ids=["alone", "with a status"]
)
def test_response_of_the_view(app: Flask, arguments: tuple[Any, ...]) -> None:
    """A response that a view aborts with is its own."""
    app.add_url_rule("/view", "view", lambda: abort(*arguments))
    assert (418, "mine") == (app.test_client().get("/view").status_code, app.test_client().get("/view").text)


def test_body_of_the_error(app: Flask) -> None:
    """An error of the application that makes its own body, as werkzeug documents, is answered with it."""

    class Teapot(HTTPException):
        code = 418

        def get_body(self, *_: object) -> str:
            return "mine"

    app.add_url_rule("/view", "view", raising(Teapot()))
    response = app.test_client().get("/view")
    assert (418, "mine", "text/html") == (response.status_code, response.text, response.mimetype)


def test_handlers_of_the_application_come_first(app: Flask) -> None:
    """A handler for a status or a class, as Flask documents it, takes the place of ours."""
    app.register_error_handler(404, lambda _: ("mine", 404))
    app.register_error_handler(LookupError, lambda _: ("mine", 409))
    app.add_url_rule("/view", "view", raising(LookupError()))
    assert ["mine", "mine"] == [app.test_client().get(path).text for path in ("/nowhere", "/view")]


def test_id_of_the_request(app: Flask, make_settings: Callable[..., Settings]) -> None:
    """The id in the body is that of the request that is measured."""
    measure(app, make_settings())
    response = app.test_client().get("/nowhere")
    assert response.headers["X-Request-ID"] == json.loads(response.data)["request_id"]


def test_id_where_nothing_measures(app: Flask) -> None:
    """Without the measuring point, the id is the client's if it is valid."""
    response = app.test_client().get("/nowhere", headers={"X-Request-ID": "mine"})
    assert "mine" == json.loads(response.data)["request_id"]
