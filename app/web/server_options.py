"""`OPTIONS *`: what the server as a whole allows (RFC 9110, section 9.3.7)."""

from flask import Blueprint, Response, current_app

blueprint = Blueprint("server_options", __name__)


# werkzeug puts a slash in front of every path.
@blueprint.route("/*", methods=["OPTIONS"], provide_automatic_options=False)
def methods() -> Response:
    """Answer with the methods that some path allows."""
    allowed = {method for rule in current_app.url_map.iter_rules() for method in rule.methods or ()}
    return Response(headers={"Allow": ", ".join(sorted(allowed))})
