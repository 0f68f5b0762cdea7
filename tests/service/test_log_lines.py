"""All that the service prints: one JSON object for each line, one line for each request."""

import json
import os
import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.support import example
from tests.support.http_client import Client, exchange, get, post, post_chunked
from tests.support.request_members import REQUEST_MEMBERS
from tests.support.service import Service, running, wait_until, wait_until_workers


def test_a_hundred_mixed_requests(output: Path) -> None:
    """Through a killed worker, a reload and a stop, every line is JSON and every request has exactly one."""
    kinds = [
        example.REQUEST,
        post_chunked(b"1", b"2"),
        post(example.BAD_BODY, target=example.ROUTE),
        b"GET /fail HTTP/1.1\r\nHost: test\r\n\r\n",
        b"GET /nowhere HTTP/1.1\r\nHost: test\r\n\r\n",
        b"PUT /echo HTTP/1.1\r\nHost: test\r\n\r\n",
        b"GET /version HTTP/1.0\r\n\r\n",
        b"bad\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /" + b"a" * 10_000,
    ]
    statuses = [200, 200, example.BAD_STATUS, 500, 404, 405, 200, 400, 400, 414]
    with running(output, arguments=[]) as service:
        answers = []
        for turn in range(10):
            answers += [exchange(service.port, request) for request in kinds]
            before = wait_until_workers(service, 2)
            if turn == 3:
                killed = min(before)
                os.kill(killed, signal.SIGKILL)
                wait_until_workers(service, 2, other_than={killed})
            if turn == 6:
                service.signal(signal.SIGHUP)
                wait_until_workers(service, 2, other_than=before)
        assert service.stop() == 0
        assert output.read_text().endswith("\n")
        lines = service.requests()
    assert statuses * 10 == [answer.status for answer in answers]
    expected = [(answer.headers["x-request-id"], answer.status, len(answer.body)) for answer in answers]
    logged = [(line["request_id"], line["status"], line["response_bytes"]) for line in lines]
    assert Counter(expected) == Counter(logged)
    assert {frozenset(REQUEST_MEMBERS)} == {frozenset(line) - {"reason", "error"} for line in lines}
    assert {line["status"] >= 400 for line in lines if line.get("reason")} == {True}
    assert [] == [line for line in lines if line["status"] >= 400 and not line.get("reason")]
    assert {500: True, 200: False}.items() <= {line["status"]: "error" in line for line in lines}.items()
    levels = {(line["status"] // 100, line["level"]) for line in lines}
    assert {(2, "info"), (4, "warning"), (5, "error")} == levels
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["timestamp"]) for line in lines)


EVIL = [
    b'"}\n'.replace(b"\n", b"\\n") + b'{"event":"request","status":200}',
    b'"quotes" and \\backslashes\\ and \\u000a and %0a',
    "\u202eright to left\u202c, \u2028 and \u2066".encode(),
    b"\x9b31m\x85\xff\xfe",
    b"a" * 8000,
    b"\tTabs\t",
    b"%s%s%(message)s{}",
]


@pytest.mark.parametrize("agent", EVIL)
@pytest.mark.parametrize("status", [200, 404, 400])
def test_a_user_agent_changes_nothing(service: Service, agent: bytes, status: int) -> None:
    """Whatever a client calls itself, its request has one line, in ASCII, with the same other members."""
    first = {200: b"POST /echo HTTP/1.1\r\nHost: test", 404: b"GET /a HTTP/1.1\r\nHost: test", 400: b"GET / HTTP/1.1"}[
        status
    ]
    head = first + b"\r\nContent-Length: 4\r\nUser-Agent: %s\r\n\r\nbody" % agent
    answer = exchange(service.port, head)
    assert status == answer.status
    request_id = answer.headers["x-request-id"]
    (line,) = wait_until(lambda: service.requests(request_id=request_id), "the request is logged")
    (text,) = [text for text in service.text().splitlines() if request_id in text]
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 4096
    assert json.loads(text) == line
    assert (status, "127.0.0.1", "request") == (line["status"], line["client"], line["event"])
    assert line["user_agent"].isprintable()
    assert len(line["user_agent"]) <= 512
    assert {*REQUEST_MEMBERS, *(["reason"] if status >= 400 else [])} == line.keys()


@pytest.mark.parametrize("address", [b"fe80::1%\xe2\x80\xae" + b"a" * 5000, b"fe80::1%\x9b31m", b'::1%"}'])
def test_a_forwarded_address_changes_nothing(service: Service, address: bytes) -> None:
    """An address that a trusted proxy passes on is logged as an address, or not at all."""
    answer = exchange(service.port, b"GET /version HTTP/1.0\r\nX-Forwarded-For: %s\r\n\r\n" % address)
    request_id = answer.headers["x-request-id"]
    (line,) = wait_until(lambda: service.requests(request_id=request_id), "the request is logged")
    assert re.fullmatch("[0-9a-f:.]+", line["client"])


@pytest.mark.parametrize("path", [b"/%1b%5b31m", b"/%e2%80%ae", b"/%0d%0a%7b%7d", b"/" + b"a" * 7000, b"/%22%5c%0a"])
def test_a_path_changes_nothing(service: Service, path: bytes) -> None:
    """Whatever a client asks for, its line stays one line of printable ASCII."""
    answer = exchange(service.port, b"GET %s HTTP/1.0\r\n\r\n" % path)
    request_id = answer.headers["x-request-id"]
    (line,) = wait_until(lambda: service.requests(request_id=request_id), "the request is logged")
    assert line["path"].isprintable()
    assert line["path"].isascii()
    assert len(line["path"]) <= 512


def test_the_address_behind_a_trusted_proxy_is_logged(service: Service) -> None:
    """A proxy on this host is trusted by default, and the client that it names is the one in the log."""
    answer = get(service.port, "/version", "X-Forwarded-For: 192.0.2.1, 198.51.100.7")
    request_id = answer.headers["x-request-id"]
    (line,) = wait_until(lambda: service.requests(request_id=request_id), "the request is logged")
    assert line["client"] == "198.51.100.7"


def test_probes_are_logged_at_debug_only(output: Path) -> None:
    """At the level debug, a probe has its line, and gunicorn's own lines are JSON, too."""
    with running(output, LOG_LEVEL="debug") as service:
        answer = get(service.port, "/healthz")
        request_id = answer.headers["x-request-id"]
        (line,) = wait_until(lambda: service.requests(request_id=request_id), "the request is logged")
        assert ("debug", "/healthz") == (line["level"], line["route"])
        assert service.stop() == 0
        assert service.lines()[-1]["event"].startswith("Shutting down")


@pytest.mark.parametrize("target", ["//healthz", "/%2fhealthz"])
def test_a_probe_by_another_name_is_a_request_like_others(service: Service, target: str) -> None:
    """Flask ignores further slashes at the beginning: such a request is answered, and hides from no log."""
    answer = get(service.port, target)
    request_id = answer.headers["x-request-id"]
    (line,) = wait_until(lambda: service.requests(request_id=request_id), "the request is logged")
    assert (200, "info", "/healthz") == (answer.status, line["level"], line["route"])


def test_no_content_of_a_request_is_logged(service: Service) -> None:
    """Neither a body nor a query reaches the log, be they good or bad."""
    for target in ("/echo", "/nowhere", "/healthz", example.ROUTE):
        exchange(service.port, post(b"31415926", target=f"{target}?31415926"))
    with Client(service.port) as client:
        answer = client.ask(post(b"31415926 GET", "X-Secret: 31415926", target="/nowhere"))
    request_id = answer.headers["x-request-id"]
    wait_until(lambda: service.requests(request_id=request_id), "the last request is logged")
    assert "31415926" not in service.text()


@pytest.mark.parametrize(("log_format", "is_json"), [("auto", False), ("console", False), ("json", True)])
def test_on_a_terminal(output: Path, log_format: str, *, is_json: bool) -> None:
    """On a terminal the log is text in colour, unless JSON is asked for."""
    reader, writer = os.openpty()
    try:
        with running(output, stdout=writer, WEB_CONCURRENCY=1, LOG_FORMAT=log_format) as service:
            assert get(service.port, "/nowhere").status == 404
            assert service.stop() == 0
        text = os.read(reader, 65536).decode()
    finally:
        os.close(reader)
        os.close(writer)
    (line,) = [line for line in text.splitlines() if "/nowhere" in line]
    if is_json:
        assert json.loads(line)["status"] == 404
    else:
        assert "\x1b[" in line
        plain = re.sub(r"\x1b\[[0-9;]*m", "", line)
        assert re.search(r"\[warning *\] request .*path=/nowhere .*status=404", plain)


def test_console_without_a_terminal(output: Path) -> None:
    """LOG_FORMAT=console is text wherever it goes."""
    with running(output, WEB_CONCURRENCY=1, LOG_FORMAT="console") as service:
        assert get(service.port, "/nowhere").status == 404
        wait_until(lambda: "/nowhere" in service.text(), "the request is logged")
        assert not service.text().startswith("{")
