"""The sum: `POST /`."""

from flask import Blueprint, Response, after_this_request, request
from structlog.contextvars import bind_contextvars
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from app.observability.request_log import declare_key
from app.sums import metrics, page
from app.sums.decoding import MALFORMED, BodyError
from app.sums.summation import add
from app.web.problems import Problem

blueprint = Blueprint("sums", __name__)
blueprint.register_blueprint(page.blueprint)

declare_key("numbers")


@blueprint.post("/")
def sum_numbers() -> Response:
    """Answer with the exact sum of the list `data` as one bare JSON number."""
    if request.environ.get("HTTP_CONTENT_ENCODING", "").lower() not in {"", "identity"}:
        metrics.outcomes["unsupported"].inc()
        detail = "Content-Encoding: compressed bodies are not read"
        raise Problem(415, detail, reason="the body is compressed", headers=[("Accept-Encoding", "identity")])
    body = _read_body()
    metrics.body_bytes.observe(len(body))
    try:
        total = add(body)
    except BodyError as error:
        metrics.outcomes[error.outcome].inc()
        raise Problem(400 if error.outcome == MALFORMED else 422, str(error), reason=error.reason) from None
    metrics.outcomes["ok"].inc()
    metrics.numbers.observe(total.numbers)
    bind_contextvars(numbers=total.numbers)
    return Response(f"{total.text}\n".encode(), content_type="application/json")


@blueprint.get("/")
def page_or_usage() -> Response:
    """Answer browsers with the page; reject other clients with a 405 that shows a working curl command."""
    after_this_request(page.vary_by_accept)
    if page.prefers_html(request):
        return page.page_response()
    # werkzeug treats an invalid Host as empty. The answer does not quote one of more than 64 characters.
    host = request.host if 0 < len(request.host) <= 64 else f"localhost:{request.environ['SERVER_PORT']}"  # noqa: PLR2004
    address = f"{request.scheme}://{host}{request.root_path}/"
    detail = f"""GET is not allowed here; to add numbers: curl -X POST -d '{{"data": ["1", "2"]}}' {address}"""
    raise Problem(405, detail, headers=[("Allow", "POST, OPTIONS")])


def _read_body() -> bytes:
    try:
        return request.get_data(cache=False)
    except (RequestEntityTooLarge, BadRequest) as error:  # Or the client left before it had sent the whole body.
        metrics.outcomes["too_large" if isinstance(error, RequestEntityTooLarge) else "malformed"].inc()
        raise
