"""The sum: `POST /`."""

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from app.decoding import BodyError, MalformedError, NotNumbersError, OutOfRangeError
from app.exchange import Exchange, current_exchange
from app.summation import add

blueprint = Blueprint("sums", __name__)

OUTCOMES = {MalformedError: "malformed", NotNumbersError: "not_numbers", OutOfRangeError: "out_of_range"}


@blueprint.post("/")
def sum_numbers() -> Response:
    """Answer the exact sum of the list `data` as one bare JSON number."""
    exchange = current_exchange()
    if request.headers.get("Content-Encoding", "").lower() not in {"", "identity"}:
        raise UnsupportedMediaType("Content-Encoding: compressed bodies are not read")
    body = _read_body(exchange)
    try:
        total = add(body)
    except BodyError as error:
        exchange.outcome = OUTCOMES[type(error)]
        raise
    exchange.outcome = "ok"
    exchange.numbers = total.numbers
    return Response(total.text + "\n", mimetype="application/json")


def _read_body(exchange: Exchange) -> bytes:
    limit: int = current_app.config["MAX_BODY_BYTES"]
    body: bytes = b""
    if (request.content_length or 0) <= limit:
        # One byte more than is allowed tells a chunked body that is too large. Not request.get_data(), which would
        # first parse a form, because curl -d says that it sends one.
        body = request.environ["wsgi.input"].read(limit + 1)
    exchange.request_bytes = len(body)
    if (request.content_length or len(body)) > limit:
        exchange.outcome = "too_large"
        raise RequestEntityTooLarge(f"the body is larger than {limit} bytes")
    return body
