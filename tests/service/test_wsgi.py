"""WSGI as PEP 3333 says, on both event loops."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import example
from tests.support.checks import checked_problem, head
from tests.support.http_client import Client, exchange, exchange_all, get, post, post_chunked
from tests.support.scraping import scrape
from tests.support.service import Service, running, wait_until, wait_until_all_serve

LOOPS = {"uvloop": (), "asyncio": ("--asyncio",)}
CUT_SHORT = "the application failed after the response had begun"
CLIENT_GONE = "client disconnected before the response was complete"


@pytest.fixture(scope="module", params=[(loop, threads) for loop in LOOPS for threads in (1, 2)], ids=str)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run one worker on each event loop, with one thread and with two."""
    loop, threads = request.param
    output = tmp_path_factory.mktemp("wsgi") / "output"
    with running(output, arguments=LOOPS[loop], WEB_CONCURRENCY=1, THREADS=threads) as service:
        yield service


def received(port: int, request: bytes) -> bytes:
    """Send a request, and return all that comes before the end of the connection."""
    with Client(port) as client:
        client.send(request)
        return client.rest()


def line_of(service: Service, request_id: str) -> dict[str, object]:
    """Wait for the line of a request."""
    (line,) = wait_until(lambda: service.requests(request_id=request_id), "the request is logged")
    return line


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("threads", [1, 2])
def test_the_validator_finds_nothing(output: Path, loop: str, threads: int) -> None:
    """The validator of wsgiref, around the application, has nothing against server or application."""
    application = ("--application", "tests.support.application:create_app(validate=True)")
    requests = [
        example.REQUEST,
        *(post(b"body"), post_chunked(b"one", b"two"), post(b"x" * 1_048_577), post(b"", target="/nowhere")),
        *(head(f"{method} /stream HTTP/1.1", "Host: test") for method in ("GET", "HEAD", "OPTIONS", "PUT")),
        *(head(f"GET {path} HTTP/1.1", "Host: test") for path in ("/no-content", "/not-modified", "/fail", "/%ff?%ff")),
        head("GET /stream?length=30 HTTP/1.0"),
        head("OPTIONS * HTTP/1.1", "Host: test"),
        head("GET http://other.example HTTP/1.1", "Host: test"),
    ]
    with running(output, arguments=(*LOOPS[loop], *application), WEB_CONCURRENCY=1, THREADS=threads) as service:
        for request in requests:
            received(service.port, request.replace(b"Host: test", b"Host: test\r\nConnection: close", 1))
        (report,) = wait_until(lambda: [line for line in service.lines() if "traceback" in line], "the bug is logged")
        assert "a secret" in report["traceback"]
        assert ["/fail"] == [line["path"] for line in service.requests(status=500)]
        wait_until(lambda: len(service.requests()) >= len(requests), "all are logged")


def test_a_stream_goes_out_piece_by_piece(served: Service, tmp_path: Path) -> None:
    """The first piece is with the client before the second is made, in chunks, and the next answer follows the last."""
    gate = tmp_path / "gate"
    with Client(served.port) as client:
        client.send(head(f"GET /stream?gate={gate} HTTP/1.1", "Host: test"))
        answer = client.receive()
        assert ("chunked", None) == (answer.headers["transfer-encoding"], answer.headers.get("content-length"))
        assert b"a\r\n1111111111\r\n" == client.take(15)
        gate.touch()
        assert b"a\r\n2222222222\r\na\r\n3333333333\r\n0\r\n\r\n" == client.take(35)
        assert client.ask(example.REQUEST).body == example.ANSWER


def test_a_stream_of_a_known_length_has_no_chunks(served: Service) -> None:
    """Content-Length frames a stream, and no more goes out than it says."""
    with Client(served.port) as client:
        answer = client.ask(head("GET /stream?length=20 HTTP/1.1", "Host: test"))
        assert (b"1" * 10 + b"2" * 10, None) == (answer.body, answer.headers.get("transfer-encoding"))
        assert client.ask(example.REQUEST).body == example.ANSWER


def test_a_stream_that_is_too_short_ends_the_connection(served: Service) -> None:
    """Where fewer bytes come than Content-Length has promised, only the end of the connection tells the client."""
    whole = received(served.port, head("GET /stream?length=40 HTTP/1.1", "Host: test"))
    assert whole.endswith(b"\r\n\r\n" + b"1" * 10 + b"2" * 10 + b"3" * 10)


def test_http_1_0_has_no_chunks(served: Service) -> None:
    """The end of the connection is the end of a stream, even for a client that would keep it."""
    whole = received(served.port, head("GET /stream HTTP/1.0", "Connection: keep-alive"))
    top, _, body = whole.partition(b"\r\n\r\n")
    assert b"1" * 10 + b"2" * 10 + b"3" * 10 == body
    assert b"connection: close" in top.lower()
    assert b"transfer-encoding" not in top.lower()


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (head("HEAD /stream HTTP/1.1", "Host: test"), 200),
        (head("GET /no-content HTTP/1.1", "Host: test"), 204),
        (head("GET /not-modified HTTP/1.1", "Host: test"), 304),
    ],
)
def test_an_answer_without_a_body(served: Service, request_bytes: bytes, status: int) -> None:
    """There is no byte between its head and the next answer."""
    with Client(served.port) as client:
        client.send(request_bytes + example.REQUEST)
        assert status == client.receive(is_head=True).status
        assert example.ANSWER == client.receive().body


def test_a_slow_client_sets_the_pace(served: Service, tmp_path: Path) -> None:
    """What a client does not read is not made; when it leaves, the response is closed, and the log says so."""
    closed = tmp_path / "closed"
    query = f"pieces=2000&bytes=100000&closed={closed}"
    with Client(served.port) as client:
        client.send(head(f"GET /stream?{query} HTTP/1.1", "Host: test", f"X-Request-ID: {tmp_path.name}"))
        assert client.receive().status == 200
        for _ in range(20):  # Others are served meanwhile.
            assert exchange(served.port, example.REQUEST).body == example.ANSWER
        assert not closed.exists()
    line = line_of(served, tmp_path.name)
    assert (200, CLIENT_GONE) == (line["status"], line["reason"])
    assert int(closed.read_text()) < 200


def test_a_slow_client_gets_everything(served: Service) -> None:
    """A stream of ten megabytes, read with a pause, arrives whole."""
    with Client(served.port) as client:
        client.send(head("GET /stream?pieces=100&bytes=100000 HTTP/1.0"))
        assert client.receive().status == 200
        assert exchange(served.port, example.REQUEST).body == example.ANSWER
        assert 10_000_000 == len(client.rest())


@pytest.mark.parametrize("ending", ["", "&fails=1"])
def test_a_response_is_closed_in_any_case(served: Service, tmp_path: Path, ending: str) -> None:
    """The application is told the end of a response that is whole, and of one that fails half-way."""
    closed = tmp_path / "closed"
    headers = ("Host: test", "Connection: close", f"X-Request-ID: {tmp_path.name}")
    whole = received(served.port, head(f"GET /stream?closed={closed}{ending} HTTP/1.1", *headers))
    line = line_of(served, tmp_path.name)
    assert "3" == closed.read_text()
    if ending:
        assert not whole.endswith(b"0\r\n\r\n")
        assert (500, "RuntimeError", CUT_SHORT) == (line["status"], line["error"], line["reason"])
    else:
        assert whole.endswith(b"0\r\n\r\n")
        assert (200, None) == (line["status"], line.get("reason"))


def test_system_exit_in_a_view(served: Service) -> None:
    """sys.exit() in a view is a bug of that view: its client has a 500, the worker and its other clients stay."""
    workers = served.workers()
    with Client(served.port) as other:
        assert other.ask(example.REQUEST).body == example.ANSWER
        answer = get(served.port, "/exit")
        checked_problem(answer, 500)
        assert "SystemExit" == line_of(served, answer.headers["x-request-id"])["error"]
        assert other.ask(example.REQUEST).body == example.ANSWER
    assert workers == served.workers()


def test_a_middleware_that_fails(served: Service) -> None:
    """What fails around the application, before anything has measured the request, is a 500 with a line."""
    answer = get(served.port, "/outermost")
    checked_problem(answer, 500)
    line = line_of(served, line_id := answer.headers["x-request-id"])
    assert ("/outermost", 500, None, "RuntimeError") == tuple(line[key] for key in ("path", "status", "route", "error"))
    reports = [line for line in served.lines() if line.get("request_id") == line_id and "traceback" in line]
    assert ["a secret" in report["traceback"] for report in reports] == [True]
    assert exchange(served.port, example.REQUEST).body == example.ANSWER


def test_a_middleware_that_fails_half_way(served: Service, tmp_path: Path) -> None:
    """What fails around a response that has begun is a 500 with a traceback, and does not blame the client."""
    request_id = f"X-Request-ID: {tmp_path.name}"
    received(served.port, head("GET /outermost-stream HTTP/1.1", "Host: test", "Connection: close", request_id))
    line = line_of(served, tmp_path.name)
    expected = (500, "RuntimeError", "a middleware around the application failed")
    assert expected == (line["status"], line["error"], line["reason"])
    (report,) = [line for line in served.lines() if line.get("request_id") == tmp_path.name and "traceback" in line]
    assert "a secret" in report["traceback"]


@pytest.mark.parametrize(("threads", "workers"), [(1, 1), (1, 2), (4, 1)])
def test_what_the_server_says_of_itself(output: Path, threads: int, workers: int) -> None:
    """`wsgi.multithread` and `wsgi.multiprocess` say how many requests may be worked on at once, and where."""
    with running(output, arguments=[], THREADS=threads, WEB_CONCURRENCY=workers) as service:
        expected = {
            "wsgi.multithread": threads > 1,
            "wsgi.multiprocess": workers > 1,
            "wsgi.run_once": False,
        }
        assert expected == get(service.port, "/flags").json()


def test_views_that_wait_do_so_together(output: Path, tmp_path: Path) -> None:
    """With 16 threads and two workers, 32 of 64 clients are worked on at once, and a probe waits for none of them."""
    gate = tmp_path / "gate"
    with running(output, arguments=["--limit", "wait=60"], THREADS=16) as service, ThreadPoolExecutor(64) as clients:
        wait_until_all_serve(service)
        answers = [clients.submit(get, service.port, f"/wait?gate={gate}") for _ in range(64)]

        def are_all_busy() -> bool:
            samples = scrape(service).samples
            return (32, 32) == (samples["http_requests_in_progress"], samples["http_requests_waiting"])

        wait_until(are_all_busy, "all threads are busy, and as many requests wait")
        assert get(service.port, "/healthz").status == 200
        gate.touch()
        assert {200} == {answer.result().status for answer in answers}


def test_a_pipeline_that_ends_early(served: Service) -> None:
    """A client that sends all at once, and shuts its side, gets every answer."""
    assert [200] * 3 == [answer.status for answer in exchange_all(served.port, example.REQUEST * 3)]
