"""What an HTTP server serves, and the callbacks that it reports to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.serving.http.rejection import Rejection

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication, WSGIEnvironment

Headers = list[tuple[str, str]]


def _nothing(_number: int) -> None:
    """Count nothing."""


@dataclass(frozen=True, slots=True)
class Service:
    """A WSGI application and its callbacks, all but `is_aborted` called in the event loop's thread.

    `answer_rejection` makes the status line, headers and body for a request that does not reach the application, or
    that the application failed on before it answered.
    """

    application: "WSGIApplication"
    environ: "WSGIEnvironment"
    answer_rejection: Callable[["WSGIEnvironment", Rejection], tuple[str, Headers, bytes]]
    has_fewest_connections: Callable[[], bool] = lambda: True
    count_connections: Callable[[int], None] = _nothing
    set_waiting: Callable[[int], None] = _nothing
    # Requests for these targets, such as probes, wait neither for all others nor for a thread.
    is_probe: Callable[[str], bool] = lambda _target: False
    heartbeat: Callable[[], None] = lambda: None
    served: Callable[[], None] = lambda: None
    # Whether a SystemExit comes from a signal handler. Any other ends a request, and not the server.
    is_aborted: Callable[[], bool] = lambda: False
