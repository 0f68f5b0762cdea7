"""The errors of the application, over real sockets."""

import pytest

from tests.support import example
from tests.support.checks import checked, checked_problem, head
from tests.support.http_client import Client, exchange, get, post, post_chunked
from tests.support.service import Service, wait_until

MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/version", "/openapi.json"])
def test_200_of_what_any_service_has(service: Service, path: str) -> None:
    """Probes, version and description answer 200 while nothing is wrong."""
    assert checked(get(service.port, path)).status == 200


def test_200_of_the_example(service: Service) -> None:
    """The honest request of the other tests has the answer that they expect."""
    answer = checked(exchange(service.port, example.REQUEST))
    assert (200, example.ANSWER) == (answer.status, answer.body)


@pytest.mark.parametrize("target", ["/nowhere", "/healthz/", "/%", "/%ff%00", "/a%0d%0aX-Evil:%201"])
def test_404_of_an_unknown_path(service: Service, target: str) -> None:
    """A path that has no view is not found."""
    checked_problem(get(service.port, target), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/echo", {"OPTIONS", "POST"}),
        ("POST", "/healthz", {"GET", "HEAD", "OPTIONS"}),
        ("DELETE", "/version", {"GET", "HEAD", "OPTIONS"}),
        ("PATCH", "/openapi.json", {"GET", "HEAD", "OPTIONS"}),
        ("PROPFIND", "/healthz", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_405_names_the_methods_that_are_allowed(service: Service, method: str, path: str, allowed: set[str]) -> None:
    """A wrong method is refused together with the right ones."""
    answer = get(service.port, path, method=method)
    checked_problem(answer, 405)
    assert allowed == set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize("target", ["/echo", "/healthz", "*"])
def test_options_lists_the_methods(service: Service, target: str) -> None:
    """OPTIONS is answered for a path, and for the server as a whole."""
    answer = checked(get(service.port, target, method="OPTIONS"))
    assert (200, b"") == (answer.status, answer.body)
    assert {"OPTIONS"} < set(answer.headers["allow"].split(", "))


def test_413_by_content_length(service: Service) -> None:
    """A body that announces that it is too large is refused before it comes, and the connection ends."""
    with Client(service.port) as client:
        answer = client.ask(head("POST /echo HTTP/1.1", "Host: test", f"Content-Length: {MEBIBYTE + 1}"))
        assert "1048576" in checked_problem(answer, 413)
        assert client.is_at_end()


def test_413_while_reading_chunks(service: Service) -> None:
    """A chunked body that grows too large is refused before its end."""
    with Client(service.port) as client:
        whole = post_chunked(*[b" " * 65536] * 17)
        answer = client.ask(whole[: -len(b"0\r\n\r\n")])
        assert "1048576" in checked_problem(answer, 413)
        assert client.is_at_end()


@pytest.mark.parametrize("make", [post, post_chunked])
def test_a_body_of_exactly_the_limit_is_read(service: Service, make: object) -> None:
    """The limit itself is allowed, however the body comes."""
    assert callable(make)
    body = b"x" * MEBIBYTE
    assert exchange(service.port, make(body)).body == body


@pytest.mark.parametrize("path", ["/fail", "/fail-at-once"])
def test_500_tells_nothing_and_logs_everything(impatient: Service, path: str) -> None:
    """A bug shows the client no internals, and the log the traceback."""
    answer = get(impatient.port, path)
    assert checked_problem(answer, 500) == "internal error"
    request_id = answer.headers["x-request-id"]
    (request,) = wait_until(lambda: impatient.requests(request_id=request_id), "the request is logged")
    assert (500, "error", "RuntimeError") == (request["status"], request["level"], request.get("error"))
    (report,) = [line for line in impatient.lines() if line.get("request_id") == request_id and "traceback" in line]
    assert "a secret" in report["traceback"]
    assert get(impatient.port, "/healthz").status == 200


def test_an_answer_without_a_body_keeps_the_connection(impatient: Service) -> None:
    """A 204 has neither a body nor a length, and the next answer follows it."""
    with Client(impatient.port) as client:
        answer = client.ask(head("GET /no-content HTTP/1.1", "Host: test"))
        assert (204, None) == (answer.status, answer.headers.get("content-length"))
        assert client.ask(example.REQUEST).body == example.ANSWER


def test_keep_alive_survives_errors_of_the_application(service: Service) -> None:
    """After an answer of the application, whatever its status, the connection serves the next request."""
    with Client(service.port) as client:
        assert [200, 404, 405, 500, example.BAD_STATUS, 200] == [
            checked(client.ask(request)).status
            for request in (
                example.REQUEST,
                head("GET /nowhere HTTP/1.1", "Host: test"),
                head("PUT /echo HTTP/1.1", "Host: test"),
                head("GET /fail HTTP/1.1", "Host: test"),
                post(example.BAD_BODY, target=example.ROUTE),
                example.REQUEST,
            )
        ]
