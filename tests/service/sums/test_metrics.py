"""The metrics of the sum: each request has one outcome, and they agree with the log."""

from collections.abc import Iterator

import pytest

from tests.support.http_client import exchange
from tests.support.scraping import scrape, wait_for_metrics
from tests.support.service import Service, running
from tests.support.sums import post, post_chunked

BODY_BYTES = 70_000
SUM = b'{"data": ["1", "2"]}'
OUTCOMES = {
    "200": ("ok",),
    "400": ("malformed",),
    "413": ("too_large",),
    "415": ("unsupported",),
    "422": ("not_numbers", "out_of_range"),
}
REQUESTS = (
    post(SUM),
    post_chunked(SUM),
    post(b'{"data": []}'),
    post(b'{"data": [1'),
    post(b'{"data": ["abc"]}'),
    post(b"[]"),
    post(b'{"data": ["1e1001"]}'),
    post(SUM, "Content-Encoding: gzip"),
    post(SUM.ljust(BODY_BYTES)),
    post(SUM.ljust(BODY_BYTES + 1)),
    post_chunked(SUM.ljust(BODY_BYTES), b" "),
)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service and send it each kind of request twice."""
    with running(tmp_path_factory.mktemp("sums") / "output", MAX_BODY_BYTES=BODY_BYTES) as service:
        for request in REQUESTS * 2:
            exchange(service.port, request)
        yield service


def test_outcomes_agree_with_statuses(loaded: Service) -> None:
    """Each sum has one outcome, and the outcomes of a status add up to its requests."""
    metrics = scrape(loaded).samples
    for status, outcomes in OUTCOMES.items():
        requests = metrics[f'http_request_duration_seconds_count{{method="POST",route="/",status="{status}"}}']
        assert requests == sum(metrics[f'sum_requests_total{{outcome="{outcome}"}}'] for outcome in outcomes)
    assert 2 * len(REQUESTS) == scrape(loaded).total("sum_requests_total")


def test_sizes_agree(loaded: Service) -> None:
    """What the histograms have added up is what the lines say; of what is not read, the size is not observed."""
    metrics = scrape(loaded)
    lines = loaded.requests(route="/")
    sums = [line for line in lines if line["numbers"] is not None]
    assert len(sums) == metrics.total("sum_numbers_count")
    assert sum(line["numbers"] for line in sums) == metrics.total("sum_numbers_sum")
    read = [line for line in lines if line["status"] not in {413, 415}]
    assert sum(line["request_bytes"] for line in read) == metrics.total("sum_body_bytes_sum")


def test_the_known_series_are_there_before_the_first_request(output: object) -> None:
    """Every outcome exists, at 0, and so does the objective's edge of the one route that has one."""
    service = Service(output, {"WEB_CONCURRENCY": 1})  # type: ignore[arg-type]
    try:
        counting = wait_for_metrics(service).counting()
        for outcomes in OUTCOMES.values():
            for outcome in outcomes:
                assert counting[f'sum_requests_total{{outcome="{outcome}"}}'] == 0
        for status in OUTCOMES:
            assert counting[f'http_request_duration_seconds_count{{method="POST",route="/",status="{status}"}}'] == 0
    finally:
        service.kill()
