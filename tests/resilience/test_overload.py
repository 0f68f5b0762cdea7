"""Five times as much work as can be done: what can be done is done in time, and the rest is refused at once."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from threading import Event, Thread

import psutil

from tests.support.http_client import exchange, get, post
from tests.support.scraping import REQUESTS, Scrape, scrape
from tests.support.service import running

# Large enough, and one worker few enough, that the senders on the other processor can send five times as much.
BODY = b" " * 400_000
WORK = post(BODY, target="/compute?seconds=0.014")
CAPACITY_SECONDS = 5
OVERLOAD_SECONDS = 12
TIMES = 5
THROUGHPUT_SHARE = 0.8  # of the capacity
SENDERS = 256

# The wait that a worker admits is one second of work; the senders take processor time from it, and so does whatever
# else runs on the machine. Without bounds, these would all be as long as the test.
ACCEPTED_SECONDS = 8.0
REFUSED_SECONDS = 2.0
PROBE_SECONDS = 3.0


@dataclass(frozen=True)
class Sample:
    """One answer: its status, when it was there, how long that took, and its Retry-After."""

    status: int
    end: float
    seconds: float
    retry_after: str | None


def percentile(values: list[float], share: float) -> float:
    """Return the value that so large a share of the values does not exceed."""
    return values and sorted(values)[int(share * (len(values) - 1))]


def ask(port: int) -> Sample:
    """Send one request, on a connection of its own."""
    begun = time.monotonic()
    answer = exchange(port, WORK)
    end = time.monotonic()
    return Sample(answer.status, end, end - begun, answer.headers.get("retry-after"))


def busy_seconds(process: psutil.Process) -> float:
    """Return the processor time that a process has had."""
    times = process.cpu_times()
    return times.user + times.system


@contextmanager
def threads(number: int, run: Callable[[int, Event], None]) -> Iterator[None]:
    """Run a function in several threads, until the end of the block."""
    stop = Event()
    started = [Thread(target=run, args=(index, stop)) for index in range(number)]
    for thread in started:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in started:
            thread.join()


def capacity(port: int) -> float:
    """Measure how many requests in a second are served to clients that wait for each."""
    samples: list[Sample] = []

    def run(_index: int, stop: Event) -> None:
        while not stop.is_set():
            samples.append(ask(port))

    with threads(4, run):
        time.sleep(CAPACITY_SECONDS)
    assert {200} == {sample.status for sample in samples}
    return len(samples) / CAPACITY_SECONDS


def offer(port: int, rate: float, seconds: float) -> list[Sample]:
    """Send requests at a rate, whatever comes of those before, and return what came of each."""
    begun = time.monotonic()
    samples: list[Sample] = []

    def run(index: int, stop: Event) -> None:
        number = index
        while number < rate * seconds and not stop.wait(max(0.0, begun + number / rate - time.monotonic())):
            samples.append(ask(port))
            number += SENDERS

    with threads(SENDERS, run):
        time.sleep(seconds)
    return samples


def test_overload(output: Path) -> None:
    """The throughput stays, the accepted wait for a bounded time, the rest gets 503 at once, probes go on."""
    # In a process of their own, so that a prober does not wait for hundreds of threads.
    with (
        running(output, arguments=[], WEB_CONCURRENCY=1) as service,
        ProcessPoolExecutor(1, get_context("spawn")) as senders,
    ):
        (pid,) = service.workers()
        worker = psutil.Process(pid)

        def capacity_and_cost() -> tuple[float, float]:
            begun = busy_seconds(worker)
            served = senders.submit(capacity, service.port).result()
            return served, (busy_seconds(worker) - begun) / (served * CAPACITY_SECONDS)

        before, cost_before = capacity_and_cost()
        probes: list[float] = []
        scrapes: list[Scrape] = []

        def probe(_index: int, stop: Event) -> None:
            while not stop.wait(0.1):
                begun = time.monotonic()
                assert get(service.port, "/readyz").status == 200
                probes.append(time.monotonic() - begun)
                scrapes.append(scrape(service))

        first = scrape(service).total(REQUESTS)
        busy = busy_seconds(worker)
        begun = time.monotonic()
        with threads(1, probe):
            samples = senders.submit(offer, service.port, TIMES * before, OVERLOAD_SECONDS).result()
        busy = busy_seconds(worker) - busy
        after = scrape(service)
        # Measured once more, because the machine has been seen to become a tenth slower within the test.
        capacity_after, cost_after = capacity_and_cost()
        accepted = [sample for sample in samples if sample.status == 200]
        refused = [sample for sample in samples if sample.status == 503]
        during = [sample for sample in accepted if begun + 1 <= sample.end <= begun + OVERLOAD_SECONDS]
        throughput = len(during) / (OVERLOAD_SECONDS - 1)
        figures = {
            "capacity, before and after": (before, capacity_after),
            "CPU ms for a request, before, meanwhile, after": [
                1000 * s for s in (cost_before, busy / len(accepted), cost_after)
            ],
            "offered": len(samples) / OVERLOAD_SECONDS,
            "throughput": throughput,
            "accepted p50, p99, max": [percentile([s.seconds for s in accepted], q) for q in (0.5, 0.99, 1)],
            "refused": len(refused),
            "refused p50, p99, max": [percentile([s.seconds for s in refused], q) for q in (0.5, 0.99, 1)],
            "probes": len(probes),
            "probe p99, max": [percentile(probes, q) for q in (0.99, 1)],
        }
        print(figures)  # noqa: T201
        assert len(samples) == len(accepted) + len(refused)
        assert {"1"} == {sample.retry_after for sample in refused}
        assert len(accepted) + len(probes) == after.total(REQUESTS) - first
        rejected = after.samples['http_requests_rejected_total{status="503"}']
        statuses = Counter(line["status"] for line in service.requests(method="POST"))
        assert len(refused) == rejected == statuses[503]
        assert {200} == {answer.status for answer in scrapes}
        # By the worker's own processor time: the senders, five times as busy now, take theirs from the same processors.
        assert max(cost_before, cost_after) >= THROUGHPUT_SHARE * busy / len(accepted)
        assert len(refused) >= len(samples) / 2
        assert percentile([sample.seconds for sample in accepted], 0.99) <= ACCEPTED_SECONDS
        assert percentile([sample.seconds for sample in refused], 0.99) <= REFUSED_SECONDS
        assert percentile(probes, 0.99) <= PROBE_SECONDS
        assert exchange(service.port, WORK).status == 200
