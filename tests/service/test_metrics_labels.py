"""The labels of the metrics: whatever clients invent, the series stay the same."""

import random
import string
from pathlib import Path

from tests.support import example
from tests.support.http_client import Client, get
from tests.support.scraping import REQUESTS, Scrape, scrape, wait_for_metrics
from tests.support.service import Service, running, wait_until

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
UNUSUAL = ("COPY", "LOCK", "MKCOL", "PROPFIND", "PURGE", "REPORT", "SEARCH", "UNLOCK")
KNOWN = ("/healthz", "/readyz", "/version", "/openapi.json")
BATCH = 100

Request = tuple[str, str]


def invented(dice: random.Random) -> Request:
    """Invent a path, for a standard method or another one that HTTP knows, which may ask for a known path, too."""
    path = "/" + "".join(dice.choices(string.ascii_letters + string.digits + "/._~!$&'()*+,;=:@-%", k=12)) + "?a=1"
    kind = dice.randrange(3)
    return (dice.choice(METHODS if kind == 0 else UNUSUAL), dice.choice(KNOWN) if kind == 1 else path)


def ask(service: Service, requests: list[Request]) -> list[int]:
    """Send requests on one connection, a batch at a time, and return the statuses."""
    statuses = []
    with Client(service.port) as client:
        for start in range(0, len(requests), BATCH):
            batch = requests[start : start + BATCH]
            client.send(b"".join(f"{m} {p} HTTP/1.1\r\nHost: test\r\n\r\n".encode() for m, p in batch))
            statuses += [client.receive(is_head=method == "HEAD").status for method, _ in batch]
    return statuses


def settled(service: Service) -> Scrape:
    """Scrape when the last answer has been counted."""
    wait_until(lambda: scrape(service).samples["http_requests_in_progress"] == 0, "all is counted")
    return scrape(service)


def test_10_000_invented_paths_and_methods_add_no_series(output: Path) -> None:
    """Each is counted, under the rule or `unmatched`, and under its method or `_OTHER`; these exist after one use."""
    dice = random.Random(3)  # noqa: S311 - the same each time
    with running(output, LOG_LEVEL="critical") as service:
        ask(service, [(method, "/nowhere") for method in (*METHODS, "PURGE")] + [("PURGE", path) for path in KNOWN])
        before = settled(service)
        statuses = ask(service, [invented(dice) for _ in range(10_000)])
        after = settled(service)
        assert {404, 405} == set(statuses)
        assert 10_000 == after.total(REQUESTS) - before.total(REQUESTS)
        assert before.samples.keys() == after.samples.keys()
        assert statuses.count(405) == sum(
            scraped.samples[f'{REQUESTS}{{method="_OTHER",route="{route}",status="405"}}'] * sign
            for route in KNOWN
            for scraped, sign in ((after, 1), (before, -1))
        )


def test_methods_that_http_does_not_know_add_no_series(output: Path) -> None:
    """Each is refused, and counted by the status alone."""
    dice = random.Random(4)  # noqa: S311 - the same each time
    with running(output, LOG_LEVEL="critical") as service:
        before = scrape(service)
        for _ in range(500):
            method = "Q" + "".join(dice.choices(string.ascii_uppercase, k=dice.randint(3, 12)))
            assert 501 == get(service.port, "/healthz", method=method).status
        after = scrape(service)
        assert 500 == after.samples['http_requests_rejected_total{status="501"}']
        assert before.samples.keys() == after.samples.keys()


def test_the_known_series_are_there_before_the_first_request(output: Path) -> None:
    """A rate of errors can be computed from the first scrape on: every count exists, at 0."""
    service = Service(output, {"WEB_CONCURRENCY": 1})
    try:
        counting = wait_for_metrics(service).counting()
        processor_time = counting.pop("process_cpu_seconds_total")
        assert processor_time > 0
        assert {0.0} == set(counting.values())
        for status in (400, 408, 413, 414, 431, 499, 500, 501, 503):
            assert f'http_requests_rejected_total{{status="{status}"}}' in counting
        for route in ("/healthz", "/readyz", "/version", "/openapi.json"):
            assert f'{REQUESTS}{{method="GET",route="{route}",status="200"}}' in counting
        assert f'{REQUESTS}{{method="GET",route="unmatched",status="404"}}' in counting
        labels = f'method="{example.METHOD}",route="{example.ROUTE}"'
        assert f'{REQUESTS}{{{labels},status="{example.BAD_STATUS}"}}' in counting
        for edge in ("0.025", "+Inf"):
            assert f'http_request_duration_seconds_bucket{{le="{edge}",{labels},status="200"}}' in counting
        service.wait_until_ready()
        assert service.stop() == 0
    finally:
        service.kill()
