"""The page on which a person adds numbers: `GET /` in a browser."""

from hashlib import sha256
from pathlib import Path

from flask import Blueprint, Request, Response, make_response, render_template

from app.version import __version__

FOLDER = Path(__file__).parent / "static"

# All files in the image have the same modification time, and Flask makes an ETag of time and size: an edit that keeps
# the size would not reach a browser that has the file. A content digest in the URL depends on neither.
DIGESTS = {path.name: sha256(path.read_bytes()).hexdigest()[:16] for path in FOLDER.iterdir()}

# The page loads its own script and style, and calls its own service. Browsers must allow it nothing else.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
}

# Browsers send fewer than 200 characters. Parsing 15 kB of media types takes 11 ms.
LONGEST_ACCEPT = 300

blueprint = Blueprint("page", __name__, static_folder="static", template_folder="templates")


def prefers_html(request: Request) -> bool:
    """Tell whether the client is a browser. One that accepts HTML and JSON equally (`*/*`) is not."""
    if len(request.headers.get("Accept", "")) > LONGEST_ACCEPT:
        return False
    offered = ["application/problem+json", "application/json", "text/html"]
    return request.accept_mimetypes.best_match(offered) == "text/html"


def vary_by_accept(response: Response) -> Response:
    """Tell caches that the answer to `GET /` depends on the Accept header."""
    response.vary.add("Accept")
    return response


def page_response() -> Response:
    """Answer with the page."""
    response = make_response(render_template("page.html", version=__version__, digests=DIGESTS))
    response.cache_control.no_cache = True
    return restrict(response)


@blueprint.after_request
def restrict(response: Response) -> Response:
    """Tell browsers to forbid what the page and its files do not need."""
    response.headers.update(HEADERS)
    return response
