"""Every status of the contract, and HTTP itself, over real sockets."""

import os
import re
import signal
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.problem import title
from tests.support.http_client import Answer, Client, exchange, get, post, post_chunked
from tests.support.service import Service, running, wait_until

MEBIBYTE = 1024 * 1024
SUM = b'{"data": ["1", "2"]}'


def checked(answer: Answer) -> Answer:
    """Check what every answer must have."""
    assert re.fullmatch("[A-Za-z0-9._-]{1,128}", answer.headers["x-request-id"])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers
    return answer


def checked_problem(answer: Answer, status: int) -> str:
    """Check the form of an error, and return its detail."""
    checked(answer)
    problem = answer.json()
    assert status == answer.status
    assert answer.headers["content-type"] == "application/problem+json"
    assert {
        "type": "about:blank",
        "title": title(status),
        "status": status,
        "detail": problem["detail"],
        "request_id": answer.headers["x-request-id"],
    } == problem
    return str(problem["detail"])


def head(first: str = "GET /healthz HTTP/1.1", *headers: str) -> bytes:
    """Make the bytes of a head."""
    return "\r\n".join([first, *headers, "", ""]).encode("latin-1")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (SUM, b"3\n"),
        (b'{"data": [0.1, 0.2]}', b"0.3\n"),
        (b'{"data": []}', b"0\n"),
        (b'{"data": ["9007199254740993.0", 0]}', b"9007199254740993\n"),
        (b'{"other": [true, {}], "data": [1e23]}', b"100000000000000000000000\n"),
    ],
)
def test_200_is_the_sum_as_one_bare_json_number(service: Service, body: bytes, expected: bytes) -> None:
    """A good request is answered by the sum, a newline, and nothing else."""
    answer = checked(exchange(service.port, post(body)))
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert expected == answer.body


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; charset=utf-16",
    ],
)
def test_the_content_type_is_of_no_account(service: Service, content_type: str) -> None:
    """The body is read as JSON, whatever the client calls it."""
    answer = checked(exchange(service.port, post(SUM, f"Content-Type: {content_type}")))
    assert answer.body == b"3\n"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/version", "/openapi.json"])
def test_200_of_what_is_no_sum(service: Service, path: str) -> None:
    """Probes, version and description answer 200 while nothing is wrong."""
    assert checked(get(service.port, path)).status == 200


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"", 400, "not JSON"),
        (b'{"data": [1', 400, "not JSON"),
        (b'{"data": [1]} x', 400, "not JSON"),
        (b'\xef\xbb\xbf{"data": [1]}', 400, "not JSON"),
        (b'{"data": ["\xff"]}', 400, "not UTF-8"),
        (b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "nested too deep"),
        (b"[1, 2]", 422, "no list"),
        (b'{"data": {}}', 422, "no list"),
        (b'{"data": [1, "2", "abc"]}', 422, 'data[2]: not a number: "abc"'),
        (b'{"data": [true]}', 422, "data[0]: not a number: true"),
        (b'{"data": ["NaN"]}', 422, 'data[0]: not a number: "NaN"'),
        (b'{"data": [1, 1e1001]}', 422, "data[1]: out of range: 1e1001"),
    ],
)
def test_400_and_422_say_what_is_wrong_with_a_body(service: Service, body: bytes, status: int, detail: str) -> None:
    """A body that cannot be added is refused with the reason and the place."""
    assert detail in checked_problem(exchange(service.port, post(body)), status)


@pytest.mark.parametrize("target", ["/nowhere", "/healthz/", "/%", "/%ff%00", "/a%0d%0aX-Evil:%201"])
def test_404_of_an_unknown_path(service: Service, target: str) -> None:
    """A path that nobody knows is not found."""
    checked_problem(get(service.port, target), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/", {"POST"}),
        ("OPTIONS", "/", {"POST"}),
        ("BREW", "/", {"POST"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
        ("DELETE", "/version", {"GET", "HEAD"}),
        ("PATCH", "/openapi.json", {"GET", "HEAD"}),
    ],
)
def test_405_names_the_methods_that_are_allowed(service: Service, method: str, path: str, allowed: set[str]) -> None:
    """A wrong method is refused together with the right ones."""
    answer = get(service.port, path, method=method)
    checked_problem(answer, 405)
    assert allowed == set(answer.headers["allow"].split(", "))


def test_405_of_get_shows_the_curl_line(service: Service) -> None:
    """Whoever opens the address in a browser is told what works."""
    detail = checked_problem(get(service.port, "/"), 405)
    assert """curl -X POST -d '{"data": ["1", "2"]}' http://test/""" in detail


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip", "x"])
def test_415_of_a_compressed_body(service: Service, encoding: str) -> None:
    """A body in a content encoding is not read."""
    checked_problem(exchange(service.port, post(SUM, f"Content-Encoding: {encoding}")), 415)


def test_413_by_content_length(service: Service) -> None:
    """A body that announces that it is too large is refused before it comes, and the connection ends."""
    with Client(service.port) as client:
        answer = client.ask(head("POST / HTTP/1.1", "Host: test", f"Content-Length: {MEBIBYTE + 1}"))
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
    assert exchange(service.port, make(SUM.ljust(MEBIBYTE))).body == b"3\n"


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
        pytest.param(head("POST / HTTP/1.1", "Host: test", "Content-Length: -1"), 400, id="negative length"),
        pytest.param(head("POST / HTTP/1.1", "Host: test", "Content-Length: " + "9" * 5000), 400, id="long length"),
        pytest.param(head("POST / HTTP/1.1", "Host: test", "Content-Length: 1_0"), 400, id="length that is no number"),
        pytest.param(
            head("POST / HTTP/1.1", "Host: test", "Content-Length: 1", "Content-Length: 2"), 400, id="two lengths"
        ),
        pytest.param(
            head("POST / HTTP/1.1", "Host: test", "Content-Length: 1", "Transfer-Encoding: chunked"),
            400,
            id="length and chunks",
        ),
        pytest.param(head("POST / HTTP/1.1", "Host: test", "Transfer-Encoding: gzip"), 400, id="transfer encoding"),
        pytest.param(
            head("POST / HTTP/1.1", "Host: test", "Transfer-Encoding: identity"), 400, id="identity transfer encoding"
        ),
        pytest.param(head("POST / HTTP/1.0", "Transfer-Encoding: chunked"), 400, id="chunks in HTTP/1.0"),
        pytest.param(
            head("POST / HTTP/1.1", "Host: test", "Transfer-Encoding: chunked") + b"xyz\r\n", 400, id="chunk size"
        ),
        pytest.param(
            head("POST / HTTP/1.1", "Host: test", "Transfer-Encoding: chunked") + b"1\r\nabc\r\n", 400, id="chunk end"
        ),
        pytest.param(post_chunked(*[b"1"] * 60_000)[:-5], 400, id="a flood of chunks of one byte"),
        pytest.param(b"GET /" + b"a" * 10_000, 414, id="request line without an end"),
        pytest.param(head("GET /" + "a" * 10_000 + " HTTP/1.1", "Host: test"), 414, id="request line"),
        pytest.param(head("GET / HTTP/1.1", "Host: test", "A: " + "a" * 10_000), 431, id="header"),
        pytest.param(b"GET / HTTP/1.1\r\nA: " + b"a" * 10_000, 431, id="header without an end"),
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
    assert [(status, "warning", None)] == [(one["status"], one["level"], one["route"]) for one in line]


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(b"\x16\x03\x01", id="the first bytes of TLS"),
        pytest.param(b"GET /healthz HT", id="request line"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: test\r\n", id="headers"),
        pytest.param(post(SUM)[:-1], id="body"),
        pytest.param(post_chunked(SUM)[:-1], id="chunked body"),
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
    """Answers that nobody takes do not pile up."""
    request = head("GET /openapi.json HTTP/1.1", "Host: test")

    def is_reset() -> bool:
        try:
            client.send_some(request * 200)
        except ConnectionError:
            return True
        return False

    with Client(impatient.port) as client:
        wait_until(is_reset, "the service closes the connection")


@pytest.mark.parametrize("path", ["/bug", "/broken_stream"])
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
        answer = client.ask(head("GET /no_content HTTP/1.1", "Host: test"))
        assert (204, None) == (answer.status, answer.headers.get("content-length"))
        assert client.ask(post(SUM)).body == b"3\n"


def bytes_in_flight(port: int) -> int:
    """Count what the kernel holds for a port: sent and not received, received and not read."""
    table = Path("/proc/net/tcp")  # Where there is none, as on a Mac, nothing is known to be on its way.
    rows = [line.split() for line in table.read_text().splitlines()[1:]] if table.exists() else []
    queues = [
        row[4] for row in rows if f"{port:04X}" in {row[1].split(":")[1], row[2].split(":")[1]} and row[3] == "01"
    ]
    return sum(int(size, 16) for queue in queues for size in queue.split(":"))


def test_503_at_once_when_the_work_would_take_too_long(output: Path) -> None:
    """Of bodies that arrive together and would take seconds, the last ones are refused, and probes are answered."""
    size = 16 * MEBIBYTE
    with running(output, WEB_CONCURRENCY=1, MAX_BODY_BYTES=size) as service, ExitStack() as stack:
        request = post(SUM.ljust(size))
        clients = [stack.enter_context(Client(service.port)) for _ in range(4)]
        for client in clients:
            client.send(request[:-1])
        # The worker takes what is on its way; one that then stands still finds all requests complete when it goes on.
        wait_until(lambda: bytes_in_flight(service.port) == 0, "the worker has taken all that was sent")
        (worker,) = service.workers()
        os.kill(worker, signal.SIGSTOP)
        for client in clients:
            client.send(request[-1:])
        with Client(service.port) as probe:
            probe.send(head("GET /healthz HTTP/1.1", "Host: test"))
            os.kill(worker, signal.SIGCONT)
            assert probe.receive().status == 200
        answers = [checked(client.receive()) for client in clients]
        refused = [answer for answer in answers if answer.status != 200]
        assert 1 <= len(refused) < len(clients)
        for answer in refused:
            checked_problem(answer, 503)
            assert answer.headers["retry-after"] == "1"


def test_keep_alive_survives_errors_of_the_application(service: Service) -> None:
    """After an answer of the application, whatever its status, the connection serves the next request."""
    with Client(service.port) as client:
        assert [200, 404, 405, 422, 400, 415, 200] == [
            checked(client.ask(request)).status
            for request in (
                post(SUM),
                head("GET /nowhere HTTP/1.1", "Host: test"),
                head("GET / HTTP/1.1", "Host: test"),
                post(b"{}"),
                post(b"{"),
                post(SUM, "Content-Encoding: gzip"),
                post(SUM),
            )
        ]


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
            assert client.ask(post(SUM)).body == b"3\n"
        else:
            assert client.is_at_end()


@pytest.mark.parametrize("pieces", [1, 3, 100])
def test_pipelined_requests_are_answered_in_order_and_once(service: Service, pieces: int) -> None:
    """Requests sent without waiting, however they are cut, get one answer each, in their order."""
    number = 2000
    data = b"".join(post(b'{"data": [%d]}' % index, f"X-Request-ID: {pieces}-{index}") for index in range(number))
    step = len(data) // pieces + 1
    with Client(service.port) as client:
        sender = threading.Thread(
            target=lambda: [client.send(data[start : start + step]) for start in range(0, len(data), step)]
        )
        sender.start()
        answers = [client.receive() for _ in range(number)]
        sender.join()
        assert [b"%d\n" % index for index in range(number)] == [answer.body for answer in answers]
        last = client.ask(head("GET /healthz HTTP/1.1", "Host: test", "Connection: close"))
        assert (200, b"ok\n") == (last.status, last.body)
        assert client.is_at_end()
    logged = [one["request_id"] for one in service.requests() if one["request_id"].startswith(f"{pieces}-")]
    assert [answer.headers["x-request-id"] for answer in answers] == logged
    assert [] == service.requests(method="", status=404)


def test_a_refusal_ends_a_pipeline(service: Service) -> None:
    """What stands before a malformed request is answered, what stands behind it is not."""
    with Client(service.port) as client:
        client.send(post(SUM) + b"bad\r\n\r\n" + post(SUM))
        assert client.receive().body == b"3\n"
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
        client.send(head("HEAD / HTTP/1.1", "Host: test"))
        assert checked(client.receive(is_head=True)).status == 405
        client.send(head("HEAD /healthz HTTP/1.1"))
        assert checked(client.receive(is_head=True)).status == 400
        assert client.is_at_end()


def test_expect_100_continue(service: Service) -> None:
    """A client that asks before it sends its body is told to go on."""
    request = post(SUM, "Expect: 100-continue")
    with Client(service.port) as client:
        answer = client.ask(request[: -len(SUM)])
        assert (100, {}) == (answer.status, answer.headers)
        assert client.ask(SUM).body == b"3\n"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (head("POST / HTTP/1.1", "Host: test", "Content-Length: 9999999", "Expect: 100-continue"), 413),
        (head("POST / HTTP/1.1", "Content-Length: 20", "Expect: 100-continue"), 400),
    ],
)
def test_expect_is_answered_by_the_refusal(service: Service, request_bytes: bytes, status: int) -> None:
    """A client that asks first is not told to send a body which is refused."""
    checked_problem(exchange(service.port, request_bytes), status)


def test_expect_means_nothing_in_http_1_0(service: Service) -> None:
    """A client of HTTP/1.0 would take the interim answer for the final one."""
    request = b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n%s" % (len(SUM), SUM)
    assert (200, b"3\n") == ((answer := exchange(service.port, request)).status, answer.body)


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(post_chunked(SUM), id="one chunk"),
        pytest.param(post_chunked(*[bytes([byte]) for byte in SUM]), id="chunks of one byte"),
        pytest.param(
            post_chunked(SUM).replace(b"14\r\n", b"014;name=value\r\n").replace(b"0\r\n\r\n", b"0\r\nA: b\r\n\r\n"),
            id="extension and trailer",
        ),
    ],
)
def test_chunked_bodies(service: Service, request_bytes: bytes) -> None:
    """A body in chunks is read like any other."""
    with Client(service.port) as client:
        assert client.ask(request_bytes).body == b"3\n"
        assert client.ask(post(SUM)).body == b"3\n"


@pytest.mark.parametrize("make", [post, post_chunked])
def test_a_request_may_come_byte_by_byte(service: Service, make: object) -> None:
    """Where the network cuts a request is of no account."""
    assert callable(make)
    with Client(service.port) as client:
        for byte in make(SUM):
            client.send(bytes([byte]))
        assert client.receive().body == b"3\n"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://other.example/healthz", 200),
        ("HTTP://other.example:80/healthz?a=b", 200),
        ("http://other.example", 405),
        ("http://other.example?a=/healthz", 405),
        ("/healthz?a=b&c", 200),
        ("/%68ealthz", 200),
        ("/?target=http://other.example/healthz", 405),
    ],
)
def test_forms_of_the_target(service: Service, target: str, status: int) -> None:
    """A target may be absolute, as proxies are asked; only its path counts."""
    assert status == checked(get(service.port, target)).status


@pytest.mark.parametrize("request_id", ["a", "A-b_c.9", "x" * 128])
def test_a_harmless_request_id_is_taken_over(service: Service, request_id: str) -> None:
    """The client's own id comes back, and stands in the log."""
    answer = get(service.port, "/version", f"X-Request-ID: {request_id}")
    assert request_id == answer.headers["x-request-id"]
    wait_until(lambda: service.requests(request_id=request_id), "the request is logged")


@pytest.mark.parametrize("headers", [[], ["x" * 129], [""], ["a b"], ["\xe9"], ['a"'], ["a", "b"], ["a,b"]])
def test_any_other_request_id_is_replaced(service: Service, headers: list[str]) -> None:
    """What could do harm in a log or a header is not taken over."""
    lines = [f"X-Request-ID: {value}" for value in headers]
    answer = get(service.port, "/version", *lines)
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


def test_the_trace_of_the_caller_is_logged(service: Service) -> None:
    """A valid traceparent puts its ids into the line of the request."""
    trace_id, span_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    answer = get(service.port, "/version", f"traceparent: 00-{trace_id}-{span_id}-01")
    request_id = answer.headers["x-request-id"]
    (line,) = wait_until(lambda: service.requests(request_id=request_id), "the request is logged")
    assert (trace_id, span_id) == (line["trace_id"], line["span_id"])


@pytest.mark.parametrize(
    ("begin", "status"),
    [
        pytest.param(head("POST / HTTP/1.1", "Host: test", "Content-Length: 8388608"), 413, id="too large"),
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


@pytest.mark.parametrize("end", [b"", b"GET /heal", post(SUM)[:-1]])
def test_a_client_that_goes_away_harms_nobody(service: Service, end: bytes) -> None:
    """A connection may end at any point."""
    with Client(service.port) as client:
        client.send(end)
    assert exchange(service.port, post(SUM)).body == b"3\n"
