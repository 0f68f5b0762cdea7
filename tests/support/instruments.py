"""What any view may use without a ritual: metrics of its own, the exporter's decorators, and log lines."""

import logging

import structlog
from flask import Blueprint, Flask, current_app, request
from prometheus_client import Counter, Gauge, Histogram
from structlog.contextvars import bind_contextvars

from app.observability.metrics import metrics

blueprint = Blueprint("instruments", __name__)
log = structlog.get_logger()

QUOTES = Counter("tested_quotes", "Quotes that were given.", ["outcome"])
for _outcome in ("given", "refused"):
    QUOTES.labels(_outcome)
PLAIN = Counter("tested_visits", "Visits.")
PRICES = Histogram("tested_price_euros", "Prices.", buckets=(1, 10))
STOCK = Gauge("tested_stock", "Items in stock.", multiprocess_mode="livesum")


@blueprint.get("/instruments/quote")
def quote() -> str:
    """Use each kind of metric, and each kind of logger."""
    QUOTES.labels("given").inc()
    PLAIN.inc()
    PRICES.observe(5)
    STOCK.set(7)
    bind_contextvars(customer="c1")
    log.info("quoted", price=5)
    current_app.logger.warning("by the application's logger")
    logging.getLogger("a.library").warning("by logging", extra={"order": 7})
    return "5\n"


@blueprint.get("/instruments/counted")
@metrics.counter("decorated", "Calls.", labels={"kind": lambda: request.args.get("kind", "none")})
def counted() -> str:
    """Be counted by the exporter."""
    return "counted\n"


@blueprint.get("/instruments/timed")
@metrics.histogram("decorated_seconds", "Durations.", labels={"status": lambda response: response.status_code})
def timed() -> str:
    """Be timed by the exporter."""
    return "timed\n"


@blueprint.get("/instruments/untracked")
@metrics.do_not_track()
def untracked() -> str:
    """Be in no metric."""
    return "untracked\n"


def attach(app: Flask) -> None:
    """Add the views to an application."""
    app.register_blueprint(blueprint)
