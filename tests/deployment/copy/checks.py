"""A copy of the project that sells quotes: what it has from the house without a line of its own."""

import pytest

from tests.support.checks import checked_problem
from tests.support.http_client import exchange, get, post
from tests.support.openapi import Description
from tests.support.scraping import REQUESTS, scrape, wait_for_metrics
from tests.support.service import Service, running, wait_until

ORDER = b'{"quantity": 3, "currency": "EUR"}'


def test_quote(product: Service) -> None:
    """A quote is answered, logged and counted."""
    answer = exchange(product.port, post(ORDER, "X-Request-ID: a-quote", target="/quote"))
    assert (200, {"price": 36}) == (answer.status, answer.json())
    (line,) = wait_until(lambda: product.requests(request_id="a-quote"), "the request is logged")
    expected = {"method": "POST", "route": "/quote", "status": 200, "request_bytes": len(ORDER), "quantity": 3}
    assert expected.items() <= line.items()
    assert 1 <= scrape(product).samples['quotes_total{currency="EUR"}']


@pytest.mark.parametrize(
    "order",
    [
        b"[]",
        b"{}",
        *(ORDER.replace(b"3", quantity) for quantity in (b'"3"', b"true", b"0")),
        ORDER.replace(b"EUR", b"?"),
    ],
)
def test_bad_order(product: Service, order: bytes) -> None:
    """A body that is not an order is rejected in the form of every error, and the log says why."""
    answer = exchange(product.port, post(order, target="/quote"))
    assert checked_problem(answer, 422).startswith("the body must be like ")
    logged = {"request_id": answer.headers["x-request-id"], "reason": "the body is not an order", "quantity": None}
    wait_until(lambda: product.requests(**logged), "the request is logged")


def test_known_series_start_at_0(output: object) -> None:
    """The counter of the quotes, and the requests by each documented status, are there before the first one."""
    with running(output) as service:  # type: ignore[arg-type]
        counting = wait_for_metrics(service).counting()
    labels = 'method="POST",route="/quote"'
    expected = [f'{REQUESTS}{{{labels},status="{status}"}}' for status in (200, 400, 413, 422)]
    expected += [f'quotes_total{{currency="{currency}"}}' for currency in ("EUR", "USD")]
    assert dict.fromkeys(expected, 0) == {series: counting.get(series) for series in expected}


def test_description(product: Service) -> None:
    """The description has the quote, and nothing of what was there before."""
    description = Description(product.port)
    assert ["/healthz", "/openapi.json", "/quote", "/readyz", "/version"] == sorted(description.content["paths"])
    assert "Quotes prices." == description.content["info"]["summary"]
    for body in (ORDER, b"{", b"{}"):
        description.check("/quote", "POST", exchange(product.port, post(body, target="/quote")))


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes(product: Service, path: str) -> None:
    """The copy is alive and ready."""
    assert 200 == get(product.port, path).status
