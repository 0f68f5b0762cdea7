"""The names of HTTP statuses."""

from http import HTTPStatus

# The names in RFC 9110. HTTPStatus has them since Python 3.13, and a client should not see which Python serves it.
_RENAMED = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}

# nginx's, for a client that does not wait for its answer. Nothing is sent.
CLIENT_CLOSED_REQUEST = 499

_TITLES = (
    {CLIENT_CLOSED_REQUEST: "Client Closed Request"} | {status.value: status.phrase for status in HTTPStatus} | _RENAMED
)


def title(status: int) -> str:
    """Return the name of a status, which a view may have invented."""
    return _TITLES.get(status, "Unknown Status")
