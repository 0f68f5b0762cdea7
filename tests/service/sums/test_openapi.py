"""The description of the sum is true."""

import json

import pytest

from tests.support.http_client import exchange, get
from tests.support.openapi import Description
from tests.support.service import Service
from tests.support.sums import post

CONTRACT = {200, 400, 408, 413, 414, 415, 422, 431, 500, 501, 503}
PROVOKED = {
    400: post(b"{"),
    413: b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1048577\r\n\r\n",
    415: post(b"{}", "Content-Encoding: gzip"),
    422: post(b"{}"),
}


@pytest.fixture(scope="module")
def description(service: Service) -> Description:
    """Read the description."""
    return Description(service.port)


def test_each_status_of_the_contract_is_documented(description: Description) -> None:
    """What can come of a sum is all in the description; 404 has no path."""
    assert CONTRACT == description.statuses("/", "POST")


@pytest.mark.parametrize("status", PROVOKED)
def test_a_documented_refusal_is_real(service: Service, description: Description, status: int) -> None:
    """A body is refused as it is described."""
    answer = exchange(service.port, PROVOKED[status])
    assert status == answer.status
    description.check("/", "POST", answer)


def test_the_documented_405_is_real(service: Service, description: Description) -> None:
    """GET is refused as it is described."""
    answer = get(service.port, "/")
    assert 405 == answer.status
    description.check("/", "GET", answer)


@pytest.mark.parametrize(
    "element",
    [
        *("1", "-1.5", "1e3", '"1"', '" 2.50 "', '"+3"', '"007"', '"2."', '".5"', '"1E-3"'),
        *("true", "null", "[]", "{}", '""', '"NaN"', '"Infinity"', '"0x10"', '"1_000"', '"\u0661"', '" "', '"--1"'),
    ],
)
def test_the_schema_of_a_number_is_the_one_that_is_held(
    service: Service, description: Description, element: str
) -> None:
    """What the schema of the request admits is added, and what it does not is refused."""
    body = f'{{"data": [{element}]}}'
    admitted = not description.errors({"$ref": "#/components/schemas/Numbers"}, json.loads(body))
    assert (200 if admitted else 422) == exchange(service.port, post(body.encode())).status
