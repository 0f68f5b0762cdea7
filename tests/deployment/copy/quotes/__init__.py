"""Quotes: `POST /quote`. What a copy of the project puts in the place of app/sums."""

from pathlib import Path

from flask import Blueprint, request
from prometheus_client import Counter
from structlog.contextvars import bind_contextvars

from app.observability.request_log import declare_key
from app.web.problems import Problem

OPENAPI = Path(__file__).with_name("openapi.json")
PRICES = {"EUR": 12, "USD": 13}
QUANTITIES = range(1, 1001)

blueprint = Blueprint("quotes", __name__)
quotes = Counter("quotes", "Quotes by currency.", ["currency"])
children = {currency: quotes.labels(currency) for currency in PRICES}
declare_key("quantity")


@blueprint.post("/quote")
def quote() -> dict[str, int]:
    """Answer the price of a quantity."""
    match request.get_json(force=True):  # Also without Content-Type: application/json.
        case {"quantity": int(quantity), "currency": str(currency)} if (
            quantity in QUANTITIES and quantity is not True and currency in PRICES
        ):
            children[currency].inc()
            bind_contextvars(quantity=quantity)
            return {"price": quantity * PRICES[currency]}
    raise Problem(422, 'the body must be like {"quantity": 3, "currency": "EUR"}', reason="the body is not an order")
