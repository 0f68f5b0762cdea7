"""Flask's habits: views as Flask's documentation writes them, to be attached to the application of any server."""

import asyncio
import io
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import structlog
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    after_this_request,
    copy_current_request_context,
    current_app,
    flash,
    g,
    get_flashed_messages,
    jsonify,
    make_response,
    redirect,
    render_template_string,
    request,
    request_finished,
    request_started,
    send_file,
    session,
    stream_with_context,
    url_for,
)
from flask.views import MethodView
from prometheus_client import Counter
from structlog.contextvars import bind_contextvars

from app.observability.metrics import metrics
from app.web.problems import Problem

habits = Blueprint("habits", __name__, url_prefix="/habits")
log = structlog.get_logger()
habits_total = Counter("habits", "Habits, by a metric of this module.", ["kind"])
habits_total.labels("known")


class OutOfStockError(Exception):
    """An exception of the views' own."""


def attach(app: Flask) -> Flask:
    """Add the views to an application, with the settings that they need."""
    app.config.update(SECRET_KEY="of the tests", TRUSTED_HOSTS=["localhost", "127.0.0.1", "example.org", "test"])  # noqa: S106
    app.register_blueprint(habits)
    request_started.connect(_note_start, app)
    request_finished.connect(_note_finish, app)
    return app


def _note_start(_sender: Flask, **_rest: object) -> None:
    g.started = True


def _note_finish(_sender: Flask, response: Response, **_rest: object) -> None:
    response.headers["X-Signal"] = "finished"


@habits.before_request
def before() -> Response | None:
    """Fill g; answer in place of the view where a header asks for it."""
    g.before = "before"
    return Response("from before_request", 202) if "X-Answer-Before" in request.headers else None


@habits.after_request
def after(response: Response) -> Response:
    """Add a header, as an extension for CORS does."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


@habits.teardown_request
def teardown(_error: BaseException | None) -> None:
    """Log that the request's context is gone."""
    if "X-Log-Teardown" in request.headers:
        log.info("torn down")


@habits.get("/text")
def text() -> str:
    """Return a text."""
    return "hello"


@habits.get("/json")
def json_object() -> dict[str, Any]:
    """Return a dictionary."""
    return {"a": [1, None]}


@habits.get("/list")
def json_list() -> list[int]:
    """Return a list."""
    return [1, 2]


@habits.get("/tuple")
def with_status() -> tuple[str, int, dict[str, str]]:
    """Return body, status and headers."""
    return "made", 201, {"X-Own": "yes"}


@habits.get("/status-line")
def status_line() -> Response:
    """Return a status that no standard knows."""
    return Response("odd", "299 Odd Indeed", content_type="text/x-odd")


@habits.get("/nothing")
def nothing() -> tuple[str, int]:
    """Return no content."""
    return "", 204


@habits.get("/etag")
def etag() -> Response:
    """Return a response that is compared with what the client has."""
    response = make_response("tagged")
    response.set_etag("v1")
    return response.make_conditional(request)


@habits.get("/args")
def args() -> str:
    """Return what the query says."""
    return "|".join(request.args.getlist("a"))


@habits.get("/numbers/<int:number>/<path:rest>")
def variables(number: int, rest: str) -> list[int | str]:
    """Return the variables of the rule."""
    return [number + 1, rest]


@habits.post("/form")
def form() -> str:
    """Return a field of a form; 400 without it."""
    return request.form["name"]


@habits.post("/file")
def file() -> list[str | int | None]:
    """Return what is known of an uploaded file."""
    upload = request.files["upload"]
    return [upload.filename, len(upload.read())]


@habits.post("/length")
def length() -> str:
    """Return the length of the body."""
    return str(len(request.get_data()))


@habits.post("/pieces")
def pieces() -> str:
    """Read the body in pieces."""
    return str(sum(iter(lambda: len(request.stream.read(1000)), 0)))


@habits.post("/small")
def small() -> str:
    """Read a body, with a limit of this view's own."""
    request.max_content_length = 10
    return request.get_data(as_text=True)


@habits.post("/json-in")
def json_in() -> Any:
    """Return the JSON of the body; 415 or 400 where there is none."""
    return jsonify(request.json)


@habits.get("/abort/<int:status>")
def aborted(status: int) -> None:
    """Abort, with a description where one is given."""
    abort(status, request.args.get("description"))


@habits.get("/abort-with-response")
def aborted_with_response() -> None:
    """Abort with a response of the view's own."""
    abort(make_response("mine", 418))


@habits.get("/problem")
def problem() -> None:
    """Raise the error class of the house."""
    raise Problem(422, 'quantity: "abc"', reason="no such quantity", headers=[("X-Own", "yes")])


@habits.get("/own-json-error")
def own_json_error() -> tuple[dict[str, str], int]:
    """Return an error in a form of the view's own."""
    return {"error": "mine"}, 422


@habits.get("/handled")
def handled() -> None:
    """Raise what the blueprint has a handler for."""
    raise OutOfStockError("missing")


@habits.errorhandler(OutOfStockError)
def handle(error: OutOfStockError) -> tuple[str, int]:
    """Handle an exception."""
    return f"handled: {error.args[0]}", 409


@habits.errorhandler(410)
def handle_gone(_error: Exception) -> tuple[str, int]:
    """Handle a status."""
    return "handled: gone", 410


@habits.get("/bug")
def bug() -> None:
    """Raise what has no handler."""
    raise ZeroDivisionError("secret")


@habits.get("/none")
def none() -> None:
    """Return nothing at all, which is a bug."""


@habits.get("/closing")
def closing() -> Response:
    """Log when the response is closed."""
    response = make_response("closing")
    response.call_on_close(lambda: log.info("closed"))
    return response


@habits.get("/stream")
def stream() -> Iterator[str]:
    """Stream three pieces."""
    return (f"piece {number};" for number in range(3))


@habits.get("/stream-context")
def stream_context() -> Response:
    """Stream with the context of the request, and log from within."""

    def generate() -> Iterator[str]:
        yield request.args["a"]
        log.info("streaming")
        yield g.before

    return Response(stream_with_context(generate()), mimetype="text/plain")


class Pieces:
    """An iterator with close()."""

    def __init__(self) -> None:
        self._rest = [b"one,", b"two"]

    def __iter__(self) -> "Pieces":
        return self

    def __next__(self) -> bytes:
        if self._rest:
            return self._rest.pop(0)
        raise StopIteration

    def close(self) -> None:
        """Log it."""
        log.info("iterator closed")


@habits.get("/iterator")
def iterator() -> Response:
    """Return an iterator that wants to be closed."""
    return Response(Pieces())


@habits.get("/stream-fails")
def stream_fails() -> Iterator[str]:
    """Fail after the first piece."""
    yield "begun"
    raise ZeroDivisionError("secret")


@habits.get("/download")
def download() -> Response:
    """Send a file, or a range of it."""
    return send_file(io.BytesIO(b"0123456789"), "text/plain", as_attachment=True, download_name="digits.txt")


@habits.get("/source")
def source() -> Response:
    """Send a file from the disk."""
    return send_file(__file__, conditional=True)


@habits.get("/login/<name>")
def login(name: str) -> str:
    """Write to the session."""
    session["name"] = name
    return "welcome"


@habits.get("/whoami")
def whoami() -> str:
    """Read from the session."""
    return str(session.get("name"))


@habits.get("/cookies")
def cookies() -> Response:
    """Set two cookies, and delete one."""
    response = make_response(request.cookies.get("first", "none"))
    response.set_cookie("first", "1", httponly=True)
    response.set_cookie("second", "2")
    response.delete_cookie("third")
    return response


@habits.get("/flash")
def flashing() -> Any:
    """Flash a message, and redirect."""
    flash("saved")
    return redirect(url_for("habits.flashed"))


@habits.get("/flashed")
def flashed() -> list[str]:
    """Return the messages."""
    return get_flashed_messages()  # type: ignore[return-value]


@habits.get("/async")
async def asynchronous() -> str:
    """Await something."""
    await asyncio.sleep(0)
    log.info("awaited")
    return "async"


@habits.get("/asyncio-run")
def asyncio_run() -> str:
    """Run an event loop of the view's own."""

    async def generate() -> AsyncIterator[str]:
        for letter in "run":
            await asyncio.sleep(0)
            yield letter

    async def collect() -> str:
        return "".join([letter async for letter in generate()])

    return asyncio.run(collect())


@habits.get("/external")
def external() -> str:
    """Return this address as the client must call it."""
    return url_for("habits.external", _external=True, a="b")


@habits.get("/who")
def who() -> list[Any]:
    """Return what is known of the client's side."""
    return [request.remote_addr, request.scheme, request.host, request.root_path, request.is_secure]


@habits.get("/after-this")
def after_this() -> str:
    """Change the response of this request alone."""

    @after_this_request
    def change(response: Response) -> Response:
        response.headers["X-This"] = "changed"
        return response

    return "after"


@habits.get("/g")
def in_g() -> list[Any]:
    """Return what hooks and signals have left in g."""
    return [g.before, g.started]


@habits.get("/thread")
def thread() -> str:
    """Read the request in a thread."""
    found: list[str] = []
    worker = threading.Thread(target=copy_current_request_context(lambda: found.append(request.path)))
    worker.start()
    worker.join()
    return found[0]


@habits.get("/folder/")
def folder() -> str:
    """Stand behind a slash."""
    return "folder"


@habits.get("/template")
def template() -> str:
    """Render a template, which escapes."""
    return render_template_string("<b>{{ request.args['a'] }}</b>")


@habits.get("/inner")
def inner() -> str:
    """Use a context of its own inside of a request."""
    with current_app.test_request_context("/elsewhere"):
        return request.path


@habits.get("/log")
def logging_view() -> str:
    """Log by each way that there is."""
    bind_contextvars(customer="c1")
    log.info("by structlog", size=1)
    current_app.logger.warning("by the application's logger")
    logging.getLogger("a.library").warning("by logging", extra={"order": 7})
    return "logged"


class Item(MethodView):
    """A view made of methods."""

    def get(self) -> str:
        """Answer GET."""
        return "got"

    def put(self) -> str:
        """Answer PUT."""
        return "put " + request.get_data(as_text=True)


habits.add_url_rule("/item", view_func=Item.as_view("item"))


@habits.route("/own-options", methods=["GET", "OPTIONS"], provide_automatic_options=False)
def own_options() -> tuple[str, int, dict[str, str]]:
    """Answer OPTIONS by itself."""
    return "", 204, {"X-Own": request.method}


@habits.get("/wrapped")
def wrapped() -> Response:
    """Return another WSGI application's response."""

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"from WSGI"]

    return current_app.make_response(application)


@habits.get("/counted")
@metrics.counter(
    "habits_by_decorator", "Requests, by a decorator.", labels={"status": lambda response: response.status_code}
)
@metrics.histogram("habits_seconds", "Durations, by a decorator.", labels={"path": lambda: request.path})
def counted() -> str:
    """Count in metrics of the view's own."""
    habits_total.labels("known").inc()
    return "counted"
