"""What an orchestrator asks: whether the service is alive, whether it wants requests, and which version it is."""

import platform

from flask import Blueprint, Response, current_app

from app.observability.scoreboard import scoreboard
from app.version import __version__
from app.web.problems import Problem

blueprint = Blueprint("probes", __name__)


@blueprint.get("/healthz")
def liveness() -> Response:
    """Answer 200 as long as the process can answer at all."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
def readiness() -> Response:
    """Answer 200, or 503 once a stop has begun."""
    if not scoreboard.is_ready():
        raise Problem(503, "shutting down", reason="shutting down", headers=[("Retry-After", "1")])
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/version")
def version() -> dict[str, str]:
    """Answer with the version, the source revision and the version of Python."""
    return {
        "version": __version__,
        "revision": current_app.config["REVISION"],
        "python": platform.python_version(),
    }
