"""The description of the interface is true: each answer that it documents is held against a real one."""

import signal
from contextlib import ExitStack
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from tests.support import example
from tests.support.http_client import Client, exchange, get, is_refused
from tests.support.openapi import Description
from tests.support.service import Service, running, wait_until

STOPPING = 503
BUG = 500

# What makes an answer of each status of any operation; {} stands for method and path.
PROVOKED = {
    400: "{} HTTP/1.1\r\n\r\n",
    408: "{} HTTP/1.1\r\nHost: test\r\nContent-Length: 13\r\n\r\n{{",
    414: "{}?" + 10_000 * "a" + " HTTP/1.1\r\nHost: test\r\n\r\n",
    431: "{} HTTP/1.1\r\nHost: test\r\nA: " + 20_000 * "a" + "\r\n\r\n",
    501: "{} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
}


def honest(path: str, method: str) -> bytes:
    """Make a request that is answered as it should, as a browser makes it."""
    if (method, path) == (example.METHOD, example.ROUTE):
        return example.REQUEST
    return f"{method} {path} HTTP/1.1\r\nHost: test\r\nAccept: text/html,*/*;q=0.8\r\n\r\n".encode()


@pytest.fixture(scope="module")
def description(impatient: Service) -> Description:
    """Read the description."""
    return Description(impatient.port)


def test_the_description_is_openapi(description: Description) -> None:
    """It is what OpenAPI 3.1 allows."""
    validate(description.content)


def test_the_description_tells_the_version(description: Description, service: Service) -> None:
    """It is that of the service that runs."""
    assert get(service.port, "/version").json()["version"] == description.content["info"]["version"]


def test_every_operation_documents_what_the_server_refuses(description: Description) -> None:
    """What the HTTP server answers to any request is documented for each operation, and so are a stop and a bug."""
    assert [] == [
        operation
        for operation in description.operations
        if not {*PROVOKED, STOPPING, BUG} <= description.statuses(*operation)
    ]


def test_the_documented_200_is_real(impatient: Service, description: Description) -> None:
    """An honest request to each operation that has a 200 gets it, if it needs neither body nor value."""
    for path, method in description.operations:
        is_example = (method, path) == (example.METHOD, example.ROUTE)
        needs_more = not is_example and (method != "GET" or "{" in path)
        if 200 in description.statuses(path, method) and not needs_more:
            answer = exchange(impatient.port, honest(path, method))
            assert 200 == answer.status
            description.check(path, method, answer)


@pytest.mark.parametrize("status", PROVOKED)
def test_a_documented_refusal_is_real(impatient: Service, description: Description, status: int) -> None:
    """Each operation can be refused so, and media type, body and headers are those of the description."""
    for path, method in description.operations:
        answer = exchange(impatient.port, PROVOKED[status].format(f"{method} {path}").encode())
        assert status == answer.status
        description.check(path, method, answer)


def test_the_documented_500_is_real(impatient: Service, description: Description) -> None:
    """A bug is answered as it is described, wherever it is."""
    answer = get(impatient.port, "/fail")
    assert BUG == answer.status
    description.check_response(description.content["components"]["responses"]["InternalError"], answer)


def test_the_documented_503_of_a_stop_is_real(output: Path) -> None:
    """While it stops, everything that the service has is answered by the 503 of the description."""
    with running(output, WEB_CONCURRENCY=1) as service, ExitStack() as stack:
        description = Description(service.port)
        clients = {operation: stack.enter_context(Client(service.port)) for operation in description.operations}
        for operation, client in clients.items():
            assert client.ask(honest(*operation)).status != STOPPING
        service.signal(signal.SIGTERM)
        wait_until(lambda: is_refused(service.port), "new clients are refused")
        for operation, client in clients.items():
            answer = client.ask(honest(*operation))
            assert STOPPING == answer.status
            description.check(*operation, answer)
