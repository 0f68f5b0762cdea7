"""The log line of a request."""

from http import HTTPStatus
from typing import Any

import structlog

from app.exchange import Exchange

PROBES = frozenset({"/healthz", "/readyz"})


class RequestLog:
    """Writes one line for each request when it ends; an observer of the measuring point."""

    def __init__(self) -> None:
        self._log = structlog.get_logger().bind()

    def started(self) -> None:
        """Do nothing: a request has one line, at its end."""

    def finished(self, exchange: Exchange) -> None:
        """Write the line of a request that the application has answered."""
        self._write(exchange, exchange.route)

    def rejected(self, exchange: Exchange) -> None:
        """Write the line of a request that the server has refused; no route has seen it."""
        self._write(exchange, None)

    def _write(self, exchange: Exchange, route: str | None) -> None:
        if route in PROBES and exchange.method in {"GET", "HEAD"}:
            write = self._log.debug
        elif exchange.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            write = self._log.error
        elif exchange.status >= HTTPStatus.BAD_REQUEST:
            write = self._log.warning
        else:
            write = self._log.info
        fields: dict[str, Any] = {
            "request_id": exchange.request_id,
            "method": exchange.method,
            "path": exchange.path,
            "route": route,
            "status": exchange.status,
            "duration_ms": round(exchange.duration * 1000, 3),
            "request_bytes": exchange.request_bytes,
            "response_bytes": exchange.response_bytes,
            "client": exchange.client,
            "user_agent": exchange.user_agent,
            "numbers": exchange.numbers,
        }
        if exchange.trace:
            fields["trace_id"], fields["span_id"] = exchange.trace
        if exchange.error:
            fields["error"] = exchange.error
        write("request", **fields)
