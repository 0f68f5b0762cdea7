"""Falcon, with the same logs and with metrics by prometheus_client's documentation."""

import time
import uuid
from typing import Any

import falcon
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest, multiprocess

import json_logs

json_logs.configure()
log = structlog.get_logger()
REQUESTS = Counter("http_requests", "Requests.", ["method", "route", "status"])
SECONDS = Histogram("http_request_duration_seconds", "Time of a request.", ["method", "route", "status"])


class Observation:
    """Middleware that measures and logs each request."""

    def process_request(self, req: falcon.Request, _resp: falcon.Response) -> None:
        """Let every line of a request tell which one it is."""
        req.context.started = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(
            request_id=req.get_header("X-Request-ID") or str(uuid.uuid4()),
            method=req.method,
            path=req.path,
            peer=req.remote_addr,
            user_agent=req.user_agent,
        )

    def process_response(self, req: falcon.Request, resp: falcon.Response, _resource: Any, _succeeded: bool) -> None:
        """Count the request and write its line."""
        duration = time.perf_counter() - req.context.started
        labels = (req.method, req.uri_template or "", resp.status_code)
        REQUESTS.labels(*labels).inc()
        SECONDS.labels(*labels).observe(duration)
        log.info("request", status=resp.status_code, duration=duration)


class Sum:
    """The sum."""

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Add floats."""
        resp.media = sum(float(number) for number in req.get_media()["data"])


class Metrics:
    """The metrics of all workers."""

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Collect the files of all workers."""
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        resp.content_type = CONTENT_TYPE_LATEST
        resp.data = generate_latest(registry)


app = falcon.App(middleware=[Observation()])
app.add_route("/", Sum())
app.add_route("/metrics", Metrics())
