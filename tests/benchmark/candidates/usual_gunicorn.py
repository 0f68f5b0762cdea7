"""Configuration of gunicorn for `usual`, as the README of prometheus-flask-exporter has it."""

import os
from typing import Any

from prometheus_flask_exporter.multiprocess import GunicornPrometheusMetrics


def when_ready(_server: Any) -> None:
    """Serve the metrics, from a thread of the master process."""
    GunicornPrometheusMetrics.start_http_server_when_ready(int(os.environ["METRICS_PORT"]))


def child_exit(_server: Any, worker: Any) -> None:
    """Forget the gauges of a worker that has ended."""
    GunicornPrometheusMetrics.mark_process_dead_on_child_exit(worker.pid)
