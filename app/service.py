"""The service as a worker sees it: what to serve, and within which bounds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.limits import Limits
from app.measurement import Measurement

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication, WSGIEnvironment


@dataclass(frozen=True, slots=True)
class Service:
    """What an event loop serves, and within which bounds."""

    application: "WSGIApplication"
    measurement: Measurement
    environ: "WSGIEnvironment"
    limits: Limits
    max_connections: int
    graceful_seconds: float
    has_fewest_connections: Callable[[], bool]
    count_connections: Callable[[int], None]
    is_running: Callable[[], bool]
    is_ready: Callable[[], bool]
    heartbeat: Callable[[], None]
    served: Callable[[], None]
