"""What any view may use without a ritual, in an ordinary blueprint: true with two workers, and over their deaths."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.http_client import get
from tests.support.scraping import Scrape, scrape, wait_for_metrics
from tests.support.service import Service, running, wait_until, wait_until_workers

ARGUMENTS = ("--application", "tests.support.application:create_app(further=True)")
REQUESTS = 40
COUNTED = "http_request_duration_seconds_count"


@pytest.fixture
def service(output: Path) -> Iterator[Service]:
    """Run the blueprint with two workers."""
    with running(output, arguments=ARGUMENTS) as service:
        yield service


def ask(service: Service, path: str, times: int) -> Scrape:
    """Ask several times, wait until all is counted, and scrape."""
    for _ in range(times):
        assert get(service.port, path).status == 200
    wait_until(lambda: scrape(service).samples["http_requests_in_progress"] == 0, "all is counted")
    return scrape(service)


def kill_workers(service: Service) -> None:
    """Kill all workers, and wait for others."""
    before = wait_until_workers(service, 2)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until_workers(service, 2, other_than=before)
    service.wait_until_ready()


def test_metrics_of_a_module_are_there_from_the_start(output: Path) -> None:
    """A Counter whose labels are known, a plain one and a Histogram are at 0 before their first use."""
    service = Service(output, {"WEB_CONCURRENCY": 2}, arguments=ARGUMENTS)
    try:
        samples = wait_for_metrics(service).samples
        known = (
            'tested_quotes_total{outcome="given"}',
            'tested_quotes_total{outcome="refused"}',
            "tested_visits_total",
        )
        assert [0.0] * 4 == [samples[name] for name in (*known, "tested_price_euros_count")]
        service.wait_until_ready()
        assert service.stop() == 0
    finally:
        service.kill()


def test_metrics_of_a_module_outlive_the_workers(service: Service) -> None:
    """What both workers have counted adds up, and stays when they are killed; a Gauge is of those that live."""
    for turn in (1, 2):
        samples = ask(service, "/instruments/quote", REQUESTS).samples
        assert (turn * REQUESTS, 0) == (
            samples['tested_quotes_total{outcome="given"}'],
            samples['tested_quotes_total{outcome="refused"}'],
        )
        assert turn * REQUESTS == samples["tested_visits_total"]
        assert (turn * REQUESTS, turn * REQUESTS * 5) == (
            samples["tested_price_euros_count"],
            samples["tested_price_euros_sum"],
        )
        assert samples['tested_price_euros_bucket{le="1.0"}'] == 0
        assert samples["tested_stock"] in {7, 14}
        kill_workers(service)
    wait_until(lambda: scrape(service).samples.get("tested_stock", 0) == 0, "the gauge of dead workers is gone")


def test_decorators_of_the_exporter(service: Service) -> None:
    """@metrics.counter and @metrics.histogram count and time a view, over the deaths of workers."""
    for turn in (1, 2):
        ask(service, "/instruments/timed", REQUESTS)
        samples = ask(service, "/instruments/counted?kind=a", REQUESTS).samples
        assert turn * REQUESTS == samples['decorated_total{kind="a"}']
        assert turn * REQUESTS == samples['decorated_seconds_count{status="200"}']
        kill_workers(service)


def test_do_not_track(service: Service) -> None:
    """@metrics.do_not_track keeps a view out of the metrics, and in the log."""
    before = scrape(service).total(COUNTED)
    ask(service, "/instruments/untracked", REQUESTS)
    assert REQUESTS == len(wait_until(lambda: service.requests(route="/instruments/untracked"), "all are logged"))
    route = 'route="/instruments/untracked"'
    samples = scrape(service).samples
    assert 0 == sum(value for name, value in samples.items() if name.startswith(COUNTED) and route in name)
    assert before <= scrape(service).total(COUNTED)


def test_lines_of_a_view_bear_its_request(service: Service) -> None:
    """Whichever logger writes it, a line has the ids of its request, what was bound to it, and what `extra` says."""
    trace_id, span_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    trace = f"traceparent: 00-{trace_id}-{span_id}-01"
    for number in range(20):
        get(service.port, "/instruments/quote", f"X-Request-ID: quote-{number}", trace)
    wait_until(lambda: len(service.requests(route="/instruments/quote")) == 20, "all are logged")
    for number in range(20):
        lines = [line for line in service.lines() if line.get("request_id") == f"quote-{number}"]
        expected = ["quoted", "by the application's logger", "by logging", "request"]
        assert expected == [line["event"] for line in lines]
        assert {(trace_id, span_id, "c1")} == {(line["trace_id"], line["span_id"], line["customer"]) for line in lines}
        assert (5, 7) == (lines[0]["price"], lines[2]["order"])
        assert 1 == len({line["pid"] for line in lines})
