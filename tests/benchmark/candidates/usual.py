"""The usual choices around Flask: prometheus-flask-exporter by its README, structlog by its documentation."""

import time
import uuid

import structlog
from flask import Flask, Response, g, jsonify, request
from prometheus_flask_exporter.multiprocess import GunicornPrometheusMetrics

import json_logs

json_logs.configure()
log = structlog.get_logger()
app = Flask(__name__)
metrics = GunicornPrometheusMetrics(app)


@app.before_request
def bind_request_details() -> None:
    """Let every line of a request tell which one it is."""
    g.started = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(
        request_id=request.headers.get("X-Request-ID") or str(uuid.uuid4()),
        method=request.method,
        path=request.path,
        peer=request.remote_addr,
        user_agent=request.user_agent.string,
    )


@app.after_request
def log_request(response: Response) -> Response:
    """Write one line for each request."""
    log.info(
        "request",
        status=response.status_code,
        bytes=response.content_length,
        duration=time.perf_counter() - g.started,
    )
    return response


@app.post("/")
def add() -> Response:
    """Add floats."""
    return jsonify(sum(float(number) for number in request.get_json()["data"]))
