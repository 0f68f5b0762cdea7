"""The labels of the metrics: whatever clients invent, the series stay the same."""

import random
import string
from pathlib import Path

from tests.support.http_client import Client
from tests.support.scraping import REQUESTS, scrape, wait_for_metrics
from tests.support.service import Service, running

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
KNOWN = ("/", "/healthz", "/readyz", "/version", "/openapi.json")
BATCH = 100


def invented(dice: random.Random) -> tuple[str, str]:
    """Invent a method and a path; the method is a standard one or the path a known one at times, but never both."""
    method = "".join(dice.choices(string.ascii_uppercase, k=dice.randint(3, 12)))
    path = "/" + "".join(dice.choices(string.ascii_letters + string.digits + "/._~!$&'()*+,;=:@-%", k=12)) + "?a=1"
    kind = dice.randrange(3)
    return (dice.choice(METHODS), path) if kind == 0 else (method, dice.choice(KNOWN) if kind == 1 else path)


def test_10_000_invented_paths_and_methods_add_no_series(output: Path) -> None:
    """Each is counted, under the rule or `unmatched`, and under its method or `_OTHER`."""
    dice = random.Random(3)  # noqa: S311 - the same each time
    with running(output, LOG_LEVEL="critical") as service:
        before = scrape(service)
        statuses = []
        with Client(service.port) as client:
            for _ in range(10_000 // BATCH):
                requests = [invented(dice) for _ in range(BATCH)]
                client.send(b"".join(f"{m} {p} HTTP/1.1\r\nHost: test\r\n\r\n".encode() for m, p in requests))
                statuses += [client.receive(is_head=method == "HEAD").status for method, _ in requests]
        after = scrape(service)
        assert {404, 405} == set(statuses)
        assert 10_000 == after.total(REQUESTS) - before.total(REQUESTS)
        assert before.samples.keys() == after.samples.keys()
        assert statuses.count(405) == sum(
            after.samples[f'{REQUESTS}{{method="_OTHER",route="{route}",status="405"}}'] for route in KNOWN
        )


def test_the_known_series_are_there_before_the_first_request(output: Path) -> None:
    """A rate of errors can be computed from the first scrape on: every count exists, at 0."""
    service = Service(output, {"WEB_CONCURRENCY": 1})
    try:
        counting = wait_for_metrics(service).counting()
        processor_time = counting.pop("process_cpu_seconds_total")
        assert processor_time > 0
        assert {0.0} == set(counting.values())
        for status in (400, 408, 414, 431, 500, 503):
            assert f'http_requests_rejected_total{{status="{status}"}}' in counting
        for outcome in ("ok", "malformed", "not_numbers", "out_of_range", "too_large"):
            assert f'sum_requests_total{{outcome="{outcome}"}}' in counting
        for status in (200, 400, 413, 415, 422, 500):
            assert f'{REQUESTS}{{method="POST",route="/",status="{status}"}}' in counting
        for edge in ("0.025", "+Inf"):
            labels = f'{{le="{edge}",method="POST",route="/",status="200"}}'
            assert f"http_request_duration_seconds_bucket{labels}" in counting
        service.wait_until_ready()
        assert service.stop() == 0
    finally:
        service.kill()
