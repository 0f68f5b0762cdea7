"""The WSGI application of the metrics port: prometheus_client's own, at one path, with one rendering at a time."""

import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.registry import Collector

from app.observability.correlation import request_id
from app.observability.logs import emit
from app.serving.http.request import RECEIVED_AT
from app.web.problem_details import problem_body, problem_headers

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

PATH = "/metrics"


class MetricsApplication:
    """Answers `GET /metrics`, and every other path with 404.

    A rendering takes 10 to 30 ms of CPU time. Scrapes that arrived before it began share it.
    """

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._rendered_at = 0.0
        self._renderings: dict[tuple[str | None, ...], tuple[str, list[tuple[str, str]], list[bytes]]] = {}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request."""
        if environ["PATH_INFO"] != PATH:
            identity = request_id(environ.get("HTTP_X_REQUEST_ID"))
            start_response("404 Not Found", problem_headers(identity))
            return [problem_body(404, f"metrics are at GET {PATH}", identity)]
        if environ.get(RECEIVED_AT, time.monotonic()) > self._rendered_at:
            self._renderings.clear()
            self._rendered_at = time.monotonic()
        key = tuple(
            environ.get(name) for name in ("REQUEST_METHOD", "QUERY_STRING", "HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING")
        )
        if key not in self._renderings:
            self._renderings[key] = self._render(environ)
        status, headers, rendering = self._renderings[key]
        start_response(status, headers)
        return rendering

    def _render(self, environ: "WSGIEnvironment") -> tuple[str, list[tuple[str, str]], list[bytes]]:
        answer: list[Any] = []

        def render(asked: "WSGIEnvironment") -> list[bytes]:
            # A registry collects once more to learn the names, for `name[]`: those of this moment.
            registry = CollectorRegistry(auto_describe=bool(asked.get("QUERY_STRING")))
            registry.register(self._collector)
            return list(make_wsgi_app(registry)(asked, lambda *status: answer.extend(status)))

        # HEAD is GET without a body (RFC 9110, section 9.3.2), which the library does not implement.
        asked = environ | {"REQUEST_METHOD": "GET"} if environ["REQUEST_METHOD"] == "HEAD" else environ
        try:
            try:
                body = render(asked)
            except (TypeError, ValueError):  # The library takes any version in Accept for a number.
                body = render(asked | {"HTTP_ACCEPT": ""})
        except Exception:
            emit(logging.ERROR, {"event": "cannot render the metrics", "exc_info": True})
            raise
        status, headers = answer
        return status, headers, body
