"""Start the service with time limits that a test can wait for, and with routes that fail.

Nothing else differs from `python app/app.py`.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent.parent)

from flask import Flask, Response  # noqa: E402

from app import create_app, server, worker  # noqa: E402
from app.limits import Limits  # noqa: E402
from app.main import main  # noqa: E402


def bug() -> str:
    """Raise what nobody expects."""
    raise RuntimeError("a secret")


def broken_stream() -> Response:
    """Fail when the status has been decided already."""

    def stream() -> Iterator[bytes]:
        yield b"the first part"
        raise RuntimeError("a secret")

    return Response(stream())


def no_content() -> Response:
    """Answer without a body."""
    return Response(status=204)


def limits(body_bytes: int, **_seconds: float) -> Limits:
    """Take the seconds of tests in place of those of the service."""
    return Limits(body_bytes, keep_alive=1.0, head=0.5, body=0.5, send=1.0, close=0.5)


def create_app_with_bugs(*arguments: object) -> Flask:
    """Make the application, with more routes."""
    app = create_app(*arguments)  # type: ignore[arg-type]
    for view in (bug, broken_stream, no_content):
        app.add_url_rule(f"/{view.__name__}", view_func=view)
    return app


worker.Limits = limits  # type: ignore[assignment,misc]
server.create_app = create_app_with_bugs  # type: ignore[assignment]
sys.exit(main(os.environ, sys.stdout))
