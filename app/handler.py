"""The handler of requests: what a connection has received becomes the bytes that it sends."""

import structlog

from app.connection import Connection
from app.exchange import ENVIRON_KEY
from app.gateway import call, make_environ, refusal_bytes
from app.refusal import Refusal
from app.service import Service


class Handler:
    """Answers requests, by the application or in its place."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._log = structlog.get_logger()

    def answer(self, connection: Connection) -> tuple[bytes, bool]:
        """Let the application answer: the response, and whether it is the last one of its connection."""
        service = self._service
        environ = make_environ(connection, service.environ)
        is_last = (
            connection.request.is_too_large
            or not connection.request.parser.should_keep_alive
            or not service.is_running()
            or not service.is_ready()
        )
        try:
            response = call(service.application, environ, keep_alive=not is_last)
        except Exception:  # noqa: BLE001 - whatever a bug raises, it may end one request and not the worker
            exchange = environ[ENVIRON_KEY]
            self._log.exception("application error", request_id=exchange.request_id)
            response = refusal_bytes(Refusal(500, "internal error"), exchange)
            is_last = True
        service.served()
        return response, is_last

    def refuse(self, connection: Connection, refusal: Refusal, now: float) -> bytes:
        """Answer in place of the application, and tell the measuring point so."""
        measurement = self._service.measurement
        exchange = measurement.exchange(make_environ(connection, self._service.environ))
        exchange.status = refusal.status
        exchange.duration = now - connection.started
        exchange.request_bytes = len(connection.request.body)
        response = refusal_bytes(refusal, exchange)
        measurement.reject(exchange)
        return response
