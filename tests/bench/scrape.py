"""A scrape of the metrics under full load, of a server whose workers have died often and of one that is fresh.

In seconds, and in those of the processor that it takes: on two cores a scrape lasts 13 ms or 28 ms, for seconds on end,
by where the scheduler puts its process, and a ratio of medians has been seen between 0.6 and 1.9; that of the CPU time
between 0.99 and 1.05.
"""

import os
import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import load
from candidates import BODY, WORKERS, WrongAnswerError
from http_client import exchange, post
from scraping import LAUNCHER, metrics_process, scrape
from service import Service, running, wait_until_workers

# The pace of app/pace.py would let 500 workers die in no less than two minutes.
SETTINGS = {"TEST_BURST": 10_000}

# Each worker is to leave something in the metrics: with so many requests, each on a connection of its own, both do.
REQUESTS_OF_A_GENERATION = 6

# All connections of wrk are busy by then.
RISE_SECONDS = 0.5

EXITS = "gunicorn_worker_exits_total"


def measure(deaths: int, rounds: int, scrapes: int) -> dict[str, dict[str, float]]:
    """Measure the seconds of a scrape of both servers, and its CPU seconds, in turns."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = {
            name: stack.enter_context(running(folder / name, program=LAUNCHER, **SETTINGS))
            for name in ("fresh", "after deaths")
        }
        _let_workers_die(servers["after deaths"], deaths)
        seconds: dict[str, list[float]] = {name: [] for name in servers}
        before = {name: _cpu_seconds(service) for name, service in servers.items()}
        for _ in range(rounds):
            for name, service in servers.items():
                seconds[name] += _scrapes_under_load(service, scrapes)
        return {
            name: {
                "seconds": median(seconds[name]),
                "CPU seconds": (_cpu_seconds(service) - before[name]) / (rounds * scrapes),
            }
            for name, service in servers.items()
        }


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


def _scrapes_under_load(service: Service, scrapes: int) -> list[float]:
    # wrk ends when its time is over: longer than the scrapes take, with a margin, and it is stopped before that.
    wrk = load.start(service.port, 60)
    try:
        time.sleep(RISE_SECONDS)
        return [_seconds(service) for _ in range(scrapes)]
    finally:
        wrk.send_signal(signal.SIGINT)
        wrk.communicate()


def _seconds(service: Service) -> float:
    began = time.perf_counter()
    scrape(service)
    return time.perf_counter() - began


def _cpu_seconds(service: Service) -> float:
    times = metrics_process(service).cpu_times()
    return times.user + times.system
