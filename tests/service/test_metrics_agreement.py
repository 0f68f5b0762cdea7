"""The log and the metrics: two observers of one measuring point, which never disagree."""

import select
import signal
from collections import Counter
from contextlib import ExitStack

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support import example
from tests.support.http_client import Client, exchange, get, post, post_chunked
from tests.support.scraping import scrape
from tests.support.service import Service, running, wait_until

BODY_BYTES = 1_100_000
MORE_THAN_FIT = 10  # Eight of the largest bodies fit.

MIXED = (
    example.REQUEST,
    post(example.BAD_BODY, target=example.ROUTE),
    post(b"x"),
    post_chunked(b"x", b"y"),
    post(b"x" * BODY_BYTES),
    post(b"x" * (BODY_BYTES + 1)),
    post_chunked(b"x" * BODY_BYTES, b" "),
    post(b"x", target="/nowhere"),
    post(b"x", target="/healthz"),
    b"nonsense\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"BREW / HTTP/1.1\r\nHost: test\r\n\r\n",
    b"GET /" + b"a" * 10_000,
    b"GET / HTTP/1.1\r\nHost: test\r\nA: " + b"a" * 20_000,
)
PROBED = (
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/version"),
    ("GET", "/openapi.json"),
    ("GET", "/no-content"),
    ("GET", "/fail"),
    ("PROPFIND", "/echo"),
    ("OPTIONS", "/echo"),
    ("PUT", "/version"),
    ("GET", "/%0a"),
    ("PURGE", "/nowhere"),
)
STANDARD = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}

Key = tuple[str, str, str]


def logged(service: Service) -> tuple[Counter[Key], Counter[str]]:
    """Count the lines of requests by method, route and status, and those of refused ones by status."""
    answered: Counter[Key] = Counter()
    refused: Counter[str] = Counter()
    for line in service.requests():
        if line["route"] is None:
            refused[str(line["status"])] += 1
        else:
            method = line["method"] if line["method"] in STANDARD else "_OTHER"
            answered[method, line["route"], str(line["status"])] += 1
    return answered, refused


def counted(service: Service) -> tuple[Counter[Key], Counter[str]]:
    """Take the same counts from the metrics."""
    answered: Counter[Key] = Counter()
    refused: Counter[str] = Counter()
    for family in text_string_to_metric_families(scrape(service).text):
        for sample in family.samples:
            labels = sample.labels
            if sample.name == "http_request_duration_seconds_count":
                answered[labels["method"], labels["route"], labels["status"]] = int(sample.value)
            elif sample.name == "http_requests_rejected_total":
                refused[labels["status"]] = int(sample.value)
    return +answered, +refused


def send_too_many_large_bodies(service: Service) -> None:
    """Send large bodies, each short of its end, until one of them is refused with 503."""
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(service.port)) for _ in range(MORE_THAN_FIT)]
        for client in clients:
            client.send(post(b"x" * BODY_BYTES)[:-1])
        sockets = {client._socket: client for client in clients}  # noqa: SLF001 - to wait for all of them at once
        readable, _, _ = select.select(list(sockets), [], [], 20)
        assert 503 == sockets[readable[0]].receive().status


def send_too_slowly(service: Service) -> None:
    """Send the start of a head, and wait for the end of the server's patience."""
    assert 408 == exchange(service.port, b"POST /echo HTTP/1.1\r\nHost:").status


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Run a service and send it something of everything."""
    output = tmp_path_factory.mktemp("loaded") / "output"
    settings = {"WEB_CONCURRENCY": 1, "LOG_LEVEL": "debug", "MAX_BODY_BYTES": BODY_BYTES}
    with running(output, arguments=["--limit", "head=0.2"], **settings) as service:
        send_too_many_large_bodies(service)
        send_too_slowly(service)
        for times in (3, 2):
            for _ in range(times):
                for request in MIXED:
                    exchange(service.port, request)
                for method, path in PROBED:
                    get(service.port, path, method=method)
            old = service.workers()
            service.signal(signal.SIGHUP)  # Half of the load is for the next worker.
            wait_until(lambda: len(service.workers()) == 1 and service.workers() != old, "a new worker")  # noqa: B023
        yield service


def test_counts_per_route_and_status_agree(loaded: Service) -> None:
    """Every request is in the log and in the metrics, under the same method, route and status, the refused ones too."""
    answered, refused = logged(loaded)
    assert {"200", "204", "404", "405", "413", "500", str(example.BAD_STATUS)} == {status for _, _, status in answered}
    assert {"400", "408", "414", "431", "501", "503"} == set(refused)
    assert (answered, refused) == counted(loaded)


def test_durations_agree(loaded: Service) -> None:
    """What the histogram has added up is what the lines say."""
    lines = [line for line in loaded.requests() if line["route"] is not None]
    seconds = sum(line["duration_ms"] for line in lines) / 1000
    total = scrape(loaded).total("http_request_duration_seconds_sum")
    assert seconds == pytest.approx(total, abs=1e-6 * len(lines))
