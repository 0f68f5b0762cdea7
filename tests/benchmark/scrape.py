"""A scrape of the metrics under full load, of a server whose workers have died often and of one that is fresh.

Both are under load all the time. With the load on the one that was scraped, a scrape on two cores lasted 13 ms or
28 ms, for seconds on end, by where the scheduler had put whom, and the ratio came out between 0.6 and 1.9.
"""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from tests.benchmark import wrk
from tests.benchmark.candidates import BODY, WORKERS
from tests.benchmark.running import WrongAnswerError
from tests.support.http_client import exchange
from tests.support.scraping import scrape
from tests.support.service import Service, running, wait_until_workers
from tests.support.sums import post

# Each worker is to leave something in the metrics: with six requests, each on a connection of its own, both do.
REQUESTS_OF_A_GENERATION = 6

# All connections of wrk are busy by then.
RISE_SECONDS = 0.5

EXITS = "gunicorn_worker_exits_total"


def measure(deaths: int, scrapes: int) -> dict[str, float]:
    """Measure the seconds of a scrape of both servers, in turns."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = {name: stack.enter_context(running(folder / name)) for name in ("fresh", "after deaths")}
        _let_workers_die(servers["after deaths"], deaths)
        for service in servers.values():
            stack.enter_context(_full_load(service))
        time.sleep(RISE_SECONDS)
        seconds: dict[str, list[float]] = {name: [] for name in servers}
        for _ in range(scrapes):
            for name, service in servers.items():
                seconds[name].append(_seconds(service))
    return {name: median(values) for name, values in seconds.items()}


def _let_workers_die(service: Service, deaths: int) -> None:
    workers: set[int] = set()
    for _ in range(deaths // WORKERS):
        workers = wait_until_workers(service, WORKERS, other_than=workers)
        for _ in range(REQUESTS_OF_A_GENERATION):
            exchange(service.port, post(BODY))
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
    wait_until_workers(service, WORKERS, other_than=workers)
    counted = scrape(service).total(EXITS)
    if counted != deaths:
        raise WrongAnswerError(f"{counted} deaths are counted in place of {deaths}")


@contextmanager
def _full_load(service: Service) -> Iterator[None]:
    # wrk ends when its time is over: longer than the scrapes take, with a margin, and it is stopped before that.
    load = wrk.start(service.port, wrk.KEEPING, 60)
    try:
        yield
    finally:
        load.send_signal(signal.SIGINT)
        load.communicate()


def _seconds(service: Service) -> float:
    began = time.perf_counter()
    scrape(service)
    return time.perf_counter() - began
