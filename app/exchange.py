"""An exchange: one request and its response, as the log and the metrics see them."""

from dataclasses import dataclass

from flask import request

from app.correlation import Trace

UNMATCHED = "unmatched"
ENVIRON_KEY = "app.exchange"


@dataclass(slots=True)
class Exchange:
    """A request and its response; each part of the service that they pass fills in what it knows.

    `duration` is in seconds, from the server's hand-over until the response is closed; sizes are in bytes.
    """

    request_id: str
    method: str
    path: str
    client: str
    user_agent: str
    trace: Trace | None = None
    route: str = UNMATCHED
    status: int = 500
    duration: float = 0.0
    request_bytes: int = 0
    response_bytes: int = 0
    numbers: int | None = None
    outcome: str | None = None
    error: str | None = None


def current_exchange() -> Exchange:
    """Return the exchange of the request that Flask is working on."""
    exchange: Exchange = request.environ[ENVIRON_KEY]
    return exchange
