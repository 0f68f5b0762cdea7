"""Fuzzing: schemathesis sends what /openapi.json admits, and what it does not, and holds each answer against it."""

import json
import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

import pytest
import schemathesis
from hypothesis import settings
from schemathesis.specs.openapi.checks import positive_data_acceptance, response_schema_conformance

from app import create_app
from app.settings import Settings
from tests.support.scraping import REQUESTS, scrape
from tests.support.service import Service, running

# For each of the five operations, on top of those that schemathesis derives from the edges of the schemas.
EXAMPLES = 500
LEAST = 2000

application = create_app(Settings.from_environ({}))
schema = schemathesis.openapi.from_dict(application.test_client().get("/openapi.json").json)
schema.config.update(base_url="http://127.0.0.1/")


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service that is fuzzed."""
    with running(tmp_path_factory.mktemp("fuzzing") / "output", LOG_LEVEL="debug") as service:
        yield service


def exact_sum(body: bytes) -> Fraction:
    """Add the elements of a body without a float."""
    elements = json.loads(body, parse_float=str, parse_int=str)["data"]
    # 0e999999999 would take all memory, and a longer exponent is none for Decimal: zero is zero.
    numbers = [element.strip() for element in elements if re.search("[1-9]", element.lower().partition("e")[0])]
    return sum((Fraction(Decimal(number)) for number in numbers), Fraction(0))


@schema.parametrize()
@settings(max_examples=EXAMPLES, derandomize=True, deadline=None)
def test_answers(fuzzed: Service, case: schemathesis.Case) -> None:
    """No answer is a 5xx or one that is not documented; bad data are refused, and sums are exact."""
    response = case.call(base_url=f"http://127.0.0.1:{fuzzed.port}")
    excluded = []
    if (case.method, case.path, response.status_code) == ("POST", "/", 200):
        total = Fraction(response.text.strip())
        assert exact_sum(response.request.body) == total
        if abs(total) > sys.float_info.max:  # schemathesis reads it as a float, and then as null.
            excluded.append(response_schema_conformance)
    if (case.method, response.status_code) == ("GET", 405):  # No schema says what Accept prefers.
        excluded.append(positive_data_acceptance)
    if response.status_code == 422 and "out of range" in response.text:  # No pattern can bound a magnitude.
        excluded.append(positive_data_acceptance)
    case.validate_response(response, excluded_checks=excluded)


def test_number_of_examples(fuzzed: Service) -> None:
    """What the tests above have sent is in the log and in the metrics."""
    lines = fuzzed.requests()
    metrics = scrape(fuzzed)
    counted = metrics.total(REQUESTS) + metrics.total("http_requests_rejected_total")
    assert LEAST <= len(lines)
    assert counted == len(lines)
    assert {200, 400, 405, 422} <= {line["status"] for line in lines}
    assert [] == [line for line in fuzzed.lines() if line["level"] in {"error", "critical"}]
