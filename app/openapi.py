"""The description of the interface: `GET /openapi.json`."""

from pathlib import Path

import orjson
from flask import Blueprint

from app.response import Response
from app.version import __version__

blueprint = Blueprint("openapi", __name__)


def _description() -> bytes:
    description = orjson.loads(Path(__file__).with_name("openapi.json").read_bytes())
    description["info"]["version"] = __version__
    return orjson.dumps(description, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


_DESCRIPTION = _description()


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Answer the OpenAPI 3.1 description of this service."""
    return Response(_DESCRIPTION, mimetype="application/json")
