"""Sums over real sockets: what is answered, what is refused, and why."""

import pytest

from tests.support.checks import checked, checked_problem
from tests.support.http_client import Client, exchange, get
from tests.support.service import Service
from tests.support.sums import post, post_chunked

MEBIBYTE = 1024 * 1024
SUM = b'{"data": ["1", "2"]}'


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


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"", 400, "the body is empty"),
        (b'{"data": [1', 400, "not JSON"),
        (b'{"data": [1]} x', 400, "not JSON"),
        (b'\xef\xbb\xbf{"data": [1]}', 400, "byte order mark"),
        (b'{"data": ["\xff"]}', 400, "not UTF-8"),
        (b'{"data": ' + b"[" * 500_000 + b"]" * 500_000 + b"}", 400, "nested too deep"),
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


def test_405_of_get_shows_the_curl_line(service: Service) -> None:
    """A client that asks with GET is told what works."""
    answer = get(service.port, "/")
    assert """curl -X POST -d '{"data": ["1", "2"]}' http://test/""" in checked_problem(answer, 405)
    assert {"POST", "OPTIONS"} == set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip", "x"])
def test_415_of_a_compressed_body(service: Service, encoding: str) -> None:
    """A body in a content encoding is not read, and the answer says which one would be."""
    answer = exchange(service.port, post(SUM, f"Content-Encoding: {encoding}"))
    checked_problem(answer, 415)
    assert "identity" == answer.headers["accept-encoding"]


@pytest.mark.parametrize("make", [post, post_chunked])
def test_a_body_of_exactly_the_limit_is_read(service: Service, make: object) -> None:
    """The limit itself is allowed, however the body comes."""
    assert callable(make)
    assert exchange(service.port, make(SUM.ljust(MEBIBYTE))).body == b"3\n"


def test_keep_alive_survives_errors(service: Service) -> None:
    """After a refusal, the connection serves the next request."""
    with Client(service.port) as client:
        assert [200, 422, 400, 415, 200] == [
            checked(client.ask(request)).status
            for request in (post(SUM), post(b"{}"), post(b"{"), post(SUM, "Content-Encoding: gzip"), post(SUM))
        ]


def test_no_content_of_a_request_is_logged(service: Service) -> None:
    """No number reaches the log, be it good or bad."""
    for body in (b'{"data": [31415927]}', b'{"data": ["31415927x"]}', b'{"31415927'):
        assert exchange(service.port, post(body)).status in {200, 400, 422}
    assert "31415927" not in service.text()
