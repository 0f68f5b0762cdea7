"""What an orchestrator asks: whether it is alive, whether it wants requests, which version it is."""

import platform
from typing import TYPE_CHECKING

from flask import Blueprint, current_app
from werkzeug.exceptions import ServiceUnavailable

from app.response import Response
from app.version import __version__

if TYPE_CHECKING:
    from app.readiness import Readiness

blueprint = Blueprint("probes", __name__)


@blueprint.get("/healthz")
def liveness() -> Response:
    """Answer 200 as long as the process can answer at all."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
def readiness() -> Response:
    """Answer 200, or 503 from the moment that a stop has begun."""
    ready: Readiness = current_app.config["READINESS"]
    if not ready:
        raise ServiceUnavailable("shutting down", retry_after=1)
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/version")
def version() -> dict[str, str]:
    """Answer the version, the source revision and the version of Python."""
    return {
        "version": __version__,
        "revision": current_app.config["REVISION"],
        "python": platform.python_version(),
    }
