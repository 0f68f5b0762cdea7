"""What the HTTP server refuses by itself: in the form of every error, logged once, and the last of its connection."""

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import example
from tests.support.checks import checked, checked_problem, head
from tests.support.http_client import Client, post, post_chunked
from tests.support.scraping import scrape
from tests.support.service import Service, running, wait_until


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(b"bad\r\n\r\n", 400, id="no HTTP"),
        pytest.param(b"GET /healthz HTTP/1.1\nHost: test\n\n", 400, id="bare line feeds"),
        pytest.param(head("GET /healthz HTTP/2.0", "Host: test"), 400, id="version"),
        pytest.param(head("get /healthz HTTP/1.1", "Host: test"), 400, id="method in small letters"),
        pytest.param(head("GET healthz HTTP/1.1", "Host: test"), 400, id="target without a slash"),
        pytest.param(head("GET /\xe9 HTTP/1.1", "Host: test"), 400, id="target beyond ASCII"),
        pytest.param(head("GET /\x00 HTTP/1.1", "Host: test"), 400, id="target with a zero byte"),
        pytest.param(head("GET /healthz HTTP/1.1"), 400, id="no host"),
        pytest.param(head("GET /healthz HTTP/1.1", "Host: a", "Host: b"), 400, id="two hosts"),
        pytest.param(head("GET /healthz HTTP/1.1", "Host : test"), 400, id="space before the colon"),
        pytest.param(head("GET /healthz HTTP/1.1", "Host: test", " folded"), 400, id="folded header"),
        pytest.param(head("GET /healthz HTTP/1.1", "Host: test", "A: \x01"), 400, id="control in a header"),
        pytest.param(head("GET /healthz HTTP/1.1", "Host: test", "nonsense"), 400, id="header without a colon"),
        pytest.param(head("POST /echo HTTP/1.1", "Host: test", "Content-Length: -1"), 400, id="negative length"),
        pytest.param(head("POST /echo HTTP/1.1", "Host: test", "Content-Length: " + "9" * 5000), 413, id="long length"),
        pytest.param(
            head("POST /echo HTTP/1.1", "Host: test", "Content-Length: 1_0"), 400, id="length that is no number"
        ),
        pytest.param(
            head("POST /echo HTTP/1.1", "Host: test", "Content-Length: 1", "Content-Length: 2"), 400, id="two lengths"
        ),
        pytest.param(
            head("POST /echo HTTP/1.1", "Host: test", "Content-Length: 1", "Transfer-Encoding: chunked"),
            400,
            id="length and chunks",
        ),
        pytest.param(head("POST /echo HTTP/1.1", "Host: test", "Transfer-Encoding: gzip"), 400, id="transfer encoding"),
        pytest.param(
            head("POST /echo HTTP/1.1", "Host: test", "Transfer-Encoding: identity"),
            400,
            id="identity transfer encoding",
        ),
        pytest.param(
            head("POST /echo HTTP/1.1", "Host: test", "Transfer-Encoding: gzip, chunked"), 501, id="another coding, too"
        ),
        pytest.param(head("BREW /echo HTTP/1.1", "Host: test"), 501, id="method that HTTP does not know"),
        pytest.param(head("POST /echo HTTP/1.0", "Transfer-Encoding: chunked"), 400, id="chunks in HTTP/1.0"),
        pytest.param(
            head("POST /echo HTTP/1.1", "Host: test", "Transfer-Encoding: chunked") + b"xyz\r\n", 400, id="chunk size"
        ),
        pytest.param(
            head("POST /echo HTTP/1.1", "Host: test", "Transfer-Encoding: chunked") + b"1\r\nabc\r\n",
            400,
            id="chunk end",
        ),
        pytest.param(post_chunked(*[b"1"] * 60_000)[:-5], 400, id="a flood of chunks of one byte"),
        pytest.param(b"GET /" + b"a" * 10_000, 414, id="request line without an end"),
        pytest.param(head("GET /" + "a" * 10_000 + " HTTP/1.1", "Host: test"), 414, id="request line"),
        pytest.param(head("GET / HTTP/1.1", "Host: test", "A: " + "a" * 20_000), 431, id="header"),
        pytest.param(b"GET / HTTP/1.1\r\nA: " + b"a" * 20_000, 431, id="header without an end"),
        pytest.param(head("GET / HTTP/1.1", "Host: test", *["A: a"] * 150), 431, id="number of headers"),
    ],
)
def test_the_server_refuses_what_is_no_http(service: Service, request_bytes: bytes, status: int) -> None:
    """What the application never sees is refused in the same form, logged once, and ends the connection."""
    with Client(service.port) as client:
        answer = client.ask(request_bytes)
        checked_problem(answer, status)
        assert answer.headers["connection"] == "close"
        assert client.is_at_end()
    request_id = answer.headers["x-request-id"]
    line = wait_until(lambda: service.requests(request_id=request_id), "the request is logged")
    level = "error" if status == 501 else "warning"
    assert [(status, level, None)] == [(one["status"], one["level"], one["route"]) for one in line]
    assert line[0]["reason"]


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(b"\x16\x03\x01", id="the first bytes of TLS"),
        pytest.param(b"GET /healthz HT", id="request line"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: test\r\n", id="headers"),
        pytest.param(post(example.BODY)[:-1], id="body"),
        pytest.param(post_chunked(example.BODY)[:-1], id="chunked body"),
    ],
)
def test_408_when_the_rest_does_not_come(impatient: Service, begin: bytes) -> None:
    """Who begins a request and does not go on is told so, and disconnected."""
    with Client(impatient.port) as client:
        answer = client.ask(begin)
        checked_problem(answer, 408)
        assert client.is_at_end()
    wait_until(
        lambda: impatient.requests(request_id=answer.headers["x-request-id"], status=408), "the request is logged"
    )


def test_an_idle_connection_is_closed_without_a_word(impatient: Service) -> None:
    """A client that says nothing is no request and gets no answer."""
    with Client(impatient.port) as client:
        assert client.is_at_end()


def test_a_client_that_takes_no_answers_is_disconnected(impatient: Service) -> None:
    """Answers that their client does not take do not pile up."""
    request = head("GET /openapi.json HTTP/1.1", "Host: test")

    def is_reset() -> bool:
        try:
            client.send_some(request * 200)
        except ConnectionError:
            return True
        return False

    with Client(impatient.port) as client:
        wait_until(is_reset, "the service closes the connection")


def test_503_where_requests_wait_for_too_long(output: Path, tmp_path: Path) -> None:
    """What arrives while others wait for too long is refused at once, and what has waited twice as long in its turn."""
    first, second = tmp_path / "first", tmp_path / "second"
    with running(output, arguments=["--limit", "wait=0.2"], WEB_CONCURRENCY=1) as service, ExitStack() as stack:
        clients = [stack.enter_context(Client(service.port)) for _ in range(6)]
        for client in clients:  # The worker accepts it now, and not while it is at work.
            assert example.ANSWER == client.ask(example.REQUEST).body
        clients[0].send(head(f"GET /wait?gate={first} HTTP/1.1", "Host: test"))
        wait_until(lambda: scrape(service).samples["http_requests_in_progress"] == 1, "the first is worked on")
        clients[1].send(head(f"GET /wait?gate={second} HTTP/1.1", "Host: test"))
        for client in clients[2:-1]:
            client.send(example.REQUEST)
        first.touch()
        wait_until(lambda: scrape(service).samples["http_requests_waiting"] == 3, "the others wait")
        too_late = time.monotonic() + 0.5
        wait_until(lambda: time.monotonic() > too_late, "they have waited for too long")
        clients[-1].send(example.REQUEST)
        second.touch()
        answers = [checked(client.receive()) for client in clients]
        assert [200, 200] == [answer.status for answer in answers[:2]]
        for answer in answers[2:]:
            assert "overloaded" in checked_problem(answer, 503)
            assert answer.headers["retry-after"] == "1"
            (line,) = service.requests(request_id=answer.headers["x-request-id"])
            assert ("error", True) == (line["level"], line["reason"].startswith("overloaded"))
