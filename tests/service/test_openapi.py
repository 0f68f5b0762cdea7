"""The description of the interface is true: each answer that it documents is held against a real one."""

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from tests.support.http_client import Answer, Client, exchange, is_refused, post
from tests.support.paths import ROOT
from tests.support.service import Service, running, wait_until

DESCRIPTION = json.loads((ROOT / "app" / "openapi.json").read_text())
OPERATIONS = [(path, method.upper()) for path, item in DESCRIPTION["paths"].items() for method in item]
DOCUMENTED = [
    (path, method, int(status))
    for path, method in OPERATIONS
    for status in DESCRIPTION["paths"][path][method.lower()]["responses"]
]
STOPPING = 503
CONTRACT = {200, 400, 405, 408, 413, 414, 415, 422, 431, 503}

# What makes an answer of each status; the path stands for one that is documented, the body is that of a sum.
PROVOKED = {
    200: '{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: 13\r\n\r\n{{"data": [1]}}',
    400: "{method} {path} HTTP/1.1\r\n\r\n",
    405: "DELETE {path} HTTP/1.1\r\nHost: test\r\n\r\n",
    408: "{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: 13\r\n\r\n{{",
    413: "{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: 1048577\r\n\r\n",
    414: "{method} {path}?" + 10_000 * "a" + " HTTP/1.1\r\nHost: test\r\n\r\n",
    415: "{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
    422: "{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n{{}}",
    431: "{method} {path} HTTP/1.1\r\nHost: test\r\nA: " + 10_000 * "a" + "\r\n\r\n",
}


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference to another part of the description."""
    while "$ref" in node:
        parts = node["$ref"].removeprefix("#/").split("/")
        node = DESCRIPTION
        for part in parts:
            node = node[part]
    return node


def errors(schema: dict[str, Any], value: object) -> list[str]:
    """List what a schema of the description has against a value."""
    validator = Draft202012Validator({**schema, "components": DESCRIPTION["components"]})
    return [error.message for error in validator.iter_errors(value)]


def header_value(schema: dict[str, Any], text: str) -> str | int:
    """Read the value of a header as its schema does."""
    return int(text) if schema.get("type") == "integer" else text


def check(path: str, method: str, answer: Answer) -> None:
    """Hold an answer against the description: media type, body, headers."""
    response = resolved(DESCRIPTION["paths"][path][method.lower()]["responses"][str(answer.status)])
    media_type = answer.headers["content-type"].partition(";")[0]
    assert [media_type] == list(response["content"])
    body: object = answer.json() if media_type.endswith("json") else answer.body.decode()
    assert [] == errors(response["content"][media_type]["schema"], body)
    for name, reference in response["headers"].items():
        schema = resolved(reference)["schema"]
        assert [] == errors(schema, header_value(schema, answer.headers[name.lower()]))


@pytest.fixture(scope="module")
def answers_of_a_stop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], Answer]]:
    """Ask for everything once more on connections that were kept alive, while the service stops."""
    with (
        running(tmp_path_factory.mktemp("stopping") / "output", WEB_CONCURRENCY=1) as service,
        ExitStack() as stack,
    ):
        clients = {operation: stack.enter_context(Client(service.port)) for operation in OPERATIONS}
        for (path, method), client in clients.items():
            assert client.ask(PROVOKED[200].format(path=path, method=method).encode()).status == 200
        service.signal(signal.SIGTERM)
        wait_until(lambda: is_refused(service.port), "new clients are refused")
        yield {
            (path, method): client.ask(PROVOKED[200].format(path=path, method=method).encode())
            for (path, method), client in clients.items()
        }


def test_the_description_is_openapi() -> None:
    """It is what OpenAPI 3.1 allows."""
    validate(DESCRIPTION)


@pytest.mark.parametrize(("path", "method", "status"), [case for case in DOCUMENTED if case[2] != STOPPING])
def test_a_documented_answer_is_real(impatient: Service, path: str, method: str, status: int) -> None:
    """The answer can be had, and its media type, body and headers are those of the description."""
    answer = exchange(impatient.port, PROVOKED[status].format(path=path, method=method).encode())
    assert status == answer.status
    check(path, method, answer)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_the_documented_answer_of_a_stop_is_real(
    answers_of_a_stop: dict[tuple[str, str], Answer], path: str, method: str
) -> None:
    """While it stops, everything that the service has is answered by the 503 of the description."""
    answer = answers_of_a_stop[path, method]
    assert STOPPING == answer.status
    check(path, method, answer)


def test_each_status_of_the_contract_is_documented() -> None:
    """What can come of a sum is all in the description; 404 has no path, and 500 is a bug."""
    assert CONTRACT == {status for path, method, status in DOCUMENTED if (path, method) == ("/", "POST")}


@pytest.mark.parametrize(
    "element",
    [
        *("1", "-1.5", "1e3", '"1"', '" 2.50 "', '"+3"', '"007"', '"2."', '".5"', '"1E-3"'),
        *("true", "null", "[]", "{}", '""', '"NaN"', '"Infinity"', '"0x10"', '"1_000"', '"\u0661"', '" "', '"--1"'),
    ],
)
def test_the_schema_of_a_number_is_the_one_that_is_held(service: Service, element: str) -> None:
    """What the schema of the request admits is added, and what it does not is refused."""
    body = f'{{"data": [{element}]}}'
    admitted = not errors({"$ref": "#/components/schemas/Numbers"}, json.loads(body))
    assert (200 if admitted else 422) == exchange(service.port, post(body.encode())).status


def test_the_service_tells_the_description(service: Service) -> None:
    """What is served is the file, with the version of the service."""
    served = exchange(service.port, b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n").json()
    assert served["info"].pop("version")
    assert {**DESCRIPTION, "info": {k: v for k, v in DESCRIPTION["info"].items() if k != "version"}} == served
