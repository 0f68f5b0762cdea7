"""The sum: `POST /`."""

from typing import TYPE_CHECKING

from flask import Blueprint, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from app.decoding import BodyError, MalformedError, NotNumbersError, OutOfRangeError
from app.exchange import ENVIRON_KEY, Exchange
from app.response import Response
from app.summation import add

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

blueprint = Blueprint("sums", __name__)

OUTCOMES = {MalformedError: "malformed", NotNumbersError: "not_numbers", OutOfRangeError: "out_of_range"}


@blueprint.post("/")
def sum_numbers() -> Response:
    """Answer the exact sum of the list `data` as one bare JSON number."""
    environ = request.environ
    exchange: Exchange = environ[ENVIRON_KEY]
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() not in {"", "identity"}:
        raise UnsupportedMediaType("Content-Encoding: compressed bodies are not read")
    body = _read_body(environ, exchange)
    try:
        total = add(body)
    except BodyError as error:
        exchange.outcome = OUTCOMES[type(error)]
        raise
    exchange.outcome = "ok"
    exchange.numbers = total.numbers
    return Response(f"{total.text}\n".encode(), content_type="application/json")


def _read_body(environ: "WSGIEnvironment", exchange: Exchange) -> bytes:
    limit: int = current_app.config["MAX_BODY_BYTES"]
    length = int(environ.get("CONTENT_LENGTH") or 0)
    # One byte more than is allowed tells a chunked body that is too large. Not request.get_data(), which would first
    # parse a form, because curl -d says that it sends one.
    body: bytes = environ["wsgi.input"].read(limit + 1) if length <= limit else b""
    exchange.request_bytes = len(body)
    if max(length, len(body)) > limit:
        exchange.outcome = "too_large"
        raise RequestEntityTooLarge(f"the body is larger than {limit} bytes")
    return body
