"""The application of the tests: that of the project, with a few views that do what a test asks of them."""

import atexit
import logging
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from logging.handlers import MemoryHandler
from pathlib import Path
from threading import Thread
from typing import Any
from wsgiref.validate import validator

import structlog
from flask import Blueprint, Flask, Response, request, stream_with_context

from app import create_app as create_project

blueprint = Blueprint("tests", __name__)

_processes: ProcessPoolExecutor | None = None


@blueprint.post("/echo")
def echo() -> Response:
    """Return the body."""
    return Response(request.get_data(), mimetype="application/octet-stream")


@blueprint.get("/sleep")
def sleep() -> str:
    """Wait for `seconds`."""
    time.sleep(request.args.get("seconds", 0.0, float))
    return "slept\n"


@blueprint.post("/compute")
def compute() -> str:
    """Read the body, and take `seconds` of processor time."""
    request.get_data(cache=False)
    end = time.process_time() + request.args.get("seconds", 0.0, float)
    while time.process_time() < end:
        pass
    return "computed\n"


@blueprint.get("/wait")
def wait() -> str:
    """Wait until the file `gate` is there."""
    while not Path(request.args["gate"]).exists():
        time.sleep(0.01)
    return "done\n"


@blueprint.get("/stream")
def stream() -> Response:
    """Stream `pieces` of `bytes` bytes each, and note in the file `closed`, if one is named, how many were made.

    Before each piece but the first it waits until the file `gate` is there, if one is named. `fails` behind the last.
    """
    pieces, size = request.args.get("pieces", 3, int), request.args.get("bytes", 10, int)
    gate, closed = request.args.get("gate"), request.args.get("closed")
    made = 0

    def generate() -> Iterator[bytes]:
        nonlocal made
        while made < pieces:
            while made and gate and not Path(gate).exists():
                time.sleep(0.01)
            made += 1
            yield b"%d" % (made % 10) * size
        if "fails" in request.args:
            raise RuntimeError("a secret")

    response = Response(stream_with_context(generate()), mimetype="text/plain")
    if closed:
        response.call_on_close(lambda: Path(closed).write_text(str(made)))
    if "length" in request.args:
        response.content_length = int(request.args["length"])
    return response


@blueprint.get("/fail")
def fail() -> None:
    """Raise what nothing handles."""
    raise RuntimeError("a secret")


@blueprint.get("/fail-at-once")
def fail_at_once() -> Response:
    """Fail when the status has been decided already, before the first piece."""

    def generate() -> Iterator[bytes]:
        raise RuntimeError("a secret")
        yield b""

    return Response(generate())


@blueprint.get("/fail-half-way")
def fail_half_way() -> Response:
    """Fail after the first piece."""

    def generate() -> Iterator[bytes]:
        yield b"the first piece"
        raise RuntimeError("a secret")

    return Response(generate())


@blueprint.get("/exit")
def leave() -> None:
    """Raise SystemExit, as a view does that calls sys.exit()."""
    raise SystemExit(3)


@blueprint.get("/processes")
def processes() -> list[int]:
    """Compute in a pool of processes, and return their ids."""
    global _processes  # noqa: PLW0603 - as a view does that makes it when it first needs it
    if _processes is None:
        _processes = ProcessPoolExecutor(2)
        atexit.register(structlog.get_logger().info, "the worker ends")
    return [_processes.submit(os.getpid).result()]


@blueprint.get("/background")
def background() -> str:
    """Start a thread that waits until the file `gate` is there, and logs that it ends."""

    def work() -> None:
        while not Path(gate).exists():
            time.sleep(0.01)
        structlog.get_logger().info("the thread ends")

    gate = request.args["gate"]
    Thread(target=work).start()
    return "started\n"


@blueprint.get("/buffered")
def buffered() -> str:
    """Log to a handler that keeps its lines until the end of the process, for the file `file`."""
    logger = logging.getLogger("buffered")
    target = logging.FileHandler(request.args["file"])
    logger.addHandler(MemoryHandler(1000, flushLevel=logging.CRITICAL, target=target))
    logger.error("kept")
    return "logged\n"


@blueprint.get("/no-content")
def no_content() -> Response:
    """Answer without a body, and without the type of one."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


@blueprint.get("/not-modified")
def not_modified() -> tuple[str, int]:
    """Answer that the client has it already."""
    return "", 304


@blueprint.get("/flags")
def flags() -> dict[str, bool]:
    """Return what the server says of itself in the environ."""
    names = ("wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once")
    return {name: bool(request.environ[name]) for name in names}


@blueprint.get("/nested")
def nested() -> str:
    """Make a span of its own, and tell of it."""
    from opentelemetry import trace  # noqa: PLC0415 - not installed everywhere

    with trace.get_tracer(__name__).start_as_current_span("nested") as span:
        structlog.get_logger().info("nested", child=trace.format_span_id(span.get_span_context().span_id))
    return "nested\n"


class Outermost:
    """A middleware around all of the application, that of the project included, which fails for two paths."""

    def __init__(self, application: Any) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Fail, or pass on."""
        if environ["PATH_INFO"] == "/outermost":
            raise RuntimeError("a secret")
        response = self._application(environ, start_response)
        return self._fail(response) if environ["PATH_INFO"] == "/outermost-stream" else response

    def _fail(self, response: Any) -> Iterator[bytes]:
        try:
            yield b"the first piece"
            raise RuntimeError("a secret")
        finally:
            response.close()


def create_app(*, validate: bool = False, further: bool = False) -> Flask:
    """Make the application; around it wsgiref's validator, or in it what further tests attach."""
    app = create_project()
    app.register_blueprint(blueprint)
    if further:
        # Not above: a metric decides at its making which files hold its value, and the server makes these first.
        from tests.support import habits, instruments  # noqa: PLC0415

        habits.attach(app)
        instruments.attach(app)
    app.wsgi_app = Outermost(app.wsgi_app)  # type: ignore[method-assign]
    if validate:
        app.wsgi_app = validator(app.wsgi_app)  # type: ignore[method-assign]
    return app
