"""Connections over real sockets: how long they live, and what order requests and answers have on them."""

import threading

import pytest

from tests.support import example
from tests.support.checks import checked, checked_problem, head
from tests.support.http_client import Client, exchange, get, post, post_chunked
from tests.support.service import Service

ECHOED = b"twenty bytes of text"


@pytest.mark.parametrize(
    ("request_bytes", "stays_open"),
    [
        (head("GET /healthz HTTP/1.1", "Host: test"), True),
        (head("GET /healthz HTTP/1.1", "Host: test", "Connection: close"), False),
        (head("GET /healthz HTTP/1.0"), False),
        (head("GET /healthz HTTP/1.0", "Connection: keep-alive"), True),
    ],
)
def test_the_connection_stays_open_as_the_client_wishes(
    service: Service, request_bytes: bytes, *, stays_open: bool
) -> None:
    """HTTP/1.1 keeps connections by default, HTTP/1.0 on request, and the answer says so."""
    with Client(service.port) as client:
        answer = client.ask(request_bytes)
        assert ("keep-alive" if stays_open else "close") == answer.headers["connection"]
        if stays_open:
            assert client.ask(example.REQUEST).body == example.ANSWER
        else:
            assert client.is_at_end()


@pytest.mark.parametrize("pieces", [1, 3, 100])
def test_pipelined_requests_are_answered_in_order_and_once(service: Service, pieces: int) -> None:
    """Requests sent without waiting, however they are cut, get one answer each, in their order."""
    number = 2000
    data = b"".join(post(b"%d" % index, f"X-Request-ID: {pieces}-{index}") for index in range(number))
    step = len(data) // pieces + 1
    with Client(service.port) as client:
        sender = threading.Thread(
            target=lambda: [client.send(data[start : start + step]) for start in range(0, len(data), step)]
        )
        sender.start()
        answers = [client.receive() for _ in range(number)]
        sender.join()
        assert [b"%d" % index for index in range(number)] == [answer.body for answer in answers]
        last = client.ask(head("GET /healthz HTTP/1.1", "Host: test", "Connection: close"))
        assert (200, b"ok\n") == (last.status, last.body)
        assert client.is_at_end()
    logged = [one["request_id"] for one in service.requests() if one["request_id"].startswith(f"{pieces}-")]
    assert [answer.headers["x-request-id"] for answer in answers] == logged
    assert [] == service.requests(method=None, status=404)


def test_a_refusal_ends_a_pipeline(service: Service) -> None:
    """What stands before a malformed request is answered, what stands behind it is not."""
    with Client(service.port) as client:
        client.send(example.REQUEST + b"bad\r\n\r\n" + example.REQUEST)
        assert client.receive().body == example.ANSWER
        checked_problem(client.receive(), 400)
        assert client.is_at_end()


def test_head_has_the_headers_of_get_and_no_body(service: Service) -> None:
    """HEAD answers like GET but for the body, and the next answer follows at once."""
    with Client(service.port) as client:
        client.send(head("HEAD /version HTTP/1.1", "Host: test"))
        answer = checked(client.receive(is_head=True))
        full = client.ask(head("GET /version HTTP/1.1", "Host: test"))
    varying = {"date", "x-request-id"}
    assert {name: full.headers[name] for name in full.headers.keys() - varying} == {
        name: answer.headers[name] for name in answer.headers.keys() - varying
    }
    assert int(answer.headers["content-length"]) == len(full.body)


def test_head_of_an_error_has_no_body(service: Service) -> None:
    """HEAD never has a body, in refusals of the application and of the server."""
    with Client(service.port) as client:
        client.send(head("HEAD /echo HTTP/1.1", "Host: test"))
        assert checked(client.receive(is_head=True)).status == 405
        client.send(head("HEAD /healthz HTTP/1.1"))
        assert checked(client.receive(is_head=True)).status == 400
        assert client.is_at_end()


def test_expect_100_continue(service: Service) -> None:
    """A client that asks before it sends its body is told to go on."""
    request = example.request("Expect: 100-continue")
    with Client(service.port) as client:
        answer = client.ask(request[: -len(example.BODY)])
        assert (100, {}) == (answer.status, answer.headers)
        assert client.ask(example.BODY).body == example.ANSWER


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (head("POST /echo HTTP/1.1", "Host: test", "Content-Length: 9999999", "Expect: 100-continue"), 413),
        (head("POST /echo HTTP/1.1", "Content-Length: 20", "Expect: 100-continue"), 400),
    ],
)
def test_expect_is_answered_by_the_refusal(service: Service, request_bytes: bytes, status: int) -> None:
    """A client that asks first is not told to send a body which is refused."""
    checked_problem(exchange(service.port, request_bytes), status)


def test_expect_means_nothing_in_http_1_0(service: Service) -> None:
    """A client of HTTP/1.0 would take the interim answer for the final one."""
    request = b"POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n12345"
    assert (200, b"12345") == ((answer := exchange(service.port, request)).status, answer.body)


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(post_chunked(ECHOED), id="one chunk"),
        pytest.param(post_chunked(*[bytes([byte]) for byte in ECHOED]), id="chunks of one byte"),
        pytest.param(
            post_chunked(ECHOED).replace(b"14\r\n", b"014;name=value\r\n").replace(b"0\r\n\r\n", b"0\r\nA: b\r\n\r\n"),
            id="extension and trailer",
        ),
    ],
)
def test_chunked_bodies(service: Service, request_bytes: bytes) -> None:
    """A body in chunks is read like any other."""
    with Client(service.port) as client:
        assert client.ask(request_bytes).body == ECHOED
        assert client.ask(example.REQUEST).body == example.ANSWER


@pytest.mark.parametrize("make", [post, post_chunked])
def test_a_request_may_come_byte_by_byte(service: Service, make: object) -> None:
    """Where the network cuts a request is of no account."""
    assert callable(make)
    with Client(service.port) as client:
        for byte in make(ECHOED):
            client.send(bytes([byte]))
        assert client.receive().body == ECHOED


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://other.example/healthz", 200),
        ("HTTP://other.example:80/healthz?a=b", 200),
        ("http://other.example/nowhere", 404),
        ("http://other.example/nowhere?a=/healthz", 404),
        ("http://other.example/readyz/", 404),
        ("/healthz?a=b&c", 200),
        ("/%68ealthz", 200),
        ("/nowhere?target=http://other.example/healthz", 404),
    ],
)
def test_forms_of_the_target(service: Service, target: str, status: int) -> None:
    """A target may be absolute, as proxies are asked; only its path counts."""
    assert status == checked(get(service.port, target)).status


@pytest.mark.parametrize(
    ("begin", "status"),
    [
        pytest.param(head("POST /echo HTTP/1.1", "Host: test", "Content-Length: 8388608"), 413, id="too large"),
        pytest.param(b"bad\r\n\r\n", 400, id="malformed"),
        pytest.param(head("GET /healthz HTTP/1.1", "Host: test", "Connection: close"), 200, id="close"),
    ],
)
def test_no_answer_is_lost_when_the_server_is_the_first_to_close(service: Service, begin: bytes, status: int) -> None:
    """A client that first sends all that it has, and then reads, still finds the answer."""
    with Client(service.port) as client:
        client.send(begin)
        client.send(b" " * 8388608)
        assert status == checked(client.receive()).status
        assert client.is_at_end()


@pytest.mark.parametrize("end", [b"", b"GET /heal", example.REQUEST[:-1]])
def test_a_client_that_goes_away_harms_no_other(service: Service, end: bytes) -> None:
    """A connection may end at any point."""
    with Client(service.port) as client:
        client.send(end)
    assert exchange(service.port, example.REQUEST).body == example.ANSWER


def test_an_empty_line_behind_a_request_starts_no_clock(impatient: Service) -> None:
    """An empty line in front of a request that does not come is no request (RFC 9112, section 2.2)."""
    with Client(impatient.port) as client:
        assert client.ask(example.REQUEST + b"\r\n").body == example.ANSWER
        assert client.is_at_end()
    with Client(impatient.port) as client:
        assert client.ask(example.REQUEST + b"\r\n").body == example.ANSWER
        assert client.ask(example.REQUEST).body == example.ANSWER
