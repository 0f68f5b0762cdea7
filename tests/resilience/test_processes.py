"""Processes that are killed and replaced under load: what is lost is what was inside of them, and nothing else."""

import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from typing import Self

import psutil

from tests.support import example
from tests.support.http_client import exchange
from tests.support.load import Load, check_agreement, lost_in_progress
from tests.support.scraping import Scrape, metrics_process, scrape
from tests.support.service import Service, running, wait_until, wait_until_workers

KILL_SECONDS = 60
KILL_INTERVAL = 0.3
RELOAD_SECONDS = 30
RELOAD_INTERVAL = 2
METRICS_KILLS = 12


def paced(seconds: float, interval: float, act: Callable[[], None]) -> int:
    """Do something in regular intervals; return how often."""
    begun = time.monotonic()
    times = 0
    while (now := time.monotonic() - begun) < seconds:
        if now >= times * interval:
            act()
            times += 1
        time.sleep(0.01)  # The interval is what is tested.
    return times


def kill(process: psutil.Process) -> set[int]:
    """Kill a process, and return the ports of the clients that were connected to it.

    It is halted first, so that no client can come or go between the look at its connections and its end.
    """
    try:
        process.suspend()
        while process.status() not in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}:
            time.sleep(0.001)
        clients = {connection.raddr.port for connection in process.net_connections() if connection.raddr}
        process.kill()
    except psutil.NoSuchProcess:
        return set()
    return clients


class Watcher:
    """A scraper without a pause."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._stop = Event()
        self._thread = Thread(target=self._run)
        self.scrapes: list[Scrape] = []
        self.failures: list[Exception] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            try:
                self.scrapes.append(scrape(self._service))
            except Exception as error:  # noqa: BLE001 - the test is to see it
                self.failures.append(error)

    def check(self, *, kills: int = 0) -> None:
        """No scrape has failed, but one inside of each killed process, and no count has gone back."""
        assert len(self.failures) <= kills
        assert all(isinstance(failure, ConnectionError) for failure in self.failures)
        assert {200} == {answer.status for answer in self.scrapes}
        for earlier, later in pairwise(self.scrapes):
            before, after = earlier.counting(), later.counting()
            assert {} == {sample: before[sample] for sample in before if after.get(sample, -1) < before[sample]}


def test_killed_workers(output: Path) -> None:
    """SIGKILL every 300 ms for a minute: lost is what was inside of the killed workers, and the service is back."""
    killed: list[set[int]] = []
    with running(output) as service:
        load = Load(service.port)

        metrics_pid = metrics_process(service).pid

        def workers() -> list[psutil.Process]:
            living = (child for child in service.tree()[1:] if child.status() != psutil.STATUS_ZOMBIE)
            return [child for child in living if child.pid != metrics_pid]

        def kill_one() -> None:
            killed.append(kill(random.choice(wait_until(workers, "there is a worker"))))  # noqa: S311 - no secret

        with Watcher(service) as watcher, load.running():
            paced(KILL_SECONDS, KILL_INTERVAL, kill_one)
        watcher.check()
        wait_until_workers(service, 2)
        wait_until(lambda: scrape(service).samples["http_requests_in_progress"] == 0, "nothing is in progress")
        wait_until(
            lambda: scrape(service).samples['gunicorn_worker_exits_total{reason="crashed"}'] == len(killed),
            "each death is counted",
        )
        lines, counts = check_agreement(service, load)
        told = lost_in_progress(service)
    assert [] == load.refused
    assert {200} == set(load.answers.values())
    assert set(load.lost.values()) <= set().union(*killed)
    report = {
        "kills": len(killed),
        "answered": len(load.answers),
        "lost": len(load.lost),
        "lines": lines,
        "counts": counts,
        "told to be lost in progress": told,
        "scrapes": len(watcher.scrapes),
    }
    print(report)  # noqa: T201


def test_a_worker_that_hangs(output: Path) -> None:
    """A worker that gives no sign of life is killed and replaced; the others serve all other clients."""
    with running(output, arguments=["--timeout", 3]) as service:
        load = Load(service.port)
        with load.running():
            wait_until(lambda: len(load.answers) > 500, "there is a load")
            workers = [psutil.Process(pid) for pid in service.workers()]
            process = max(workers, key=lambda worker: len(worker.net_connections()))
            process.suspend()
            wait_until(lambda: process.status() == psutil.STATUS_STOPPED, "it hangs")
            clients = {connection.raddr.port for connection in process.net_connections() if connection.raddr}
            assert {example.ANSWER} == {exchange(service.port, example.REQUEST).body for _ in range(20)}
            timeout = 'gunicorn_worker_exits_total{reason="timeout"}'
            wait_until(lambda: scrape(service).samples[timeout] == 1, "it is killed")
        wait_until_workers(service, 2)
        lines, counts = check_agreement(service, load, others=20)
    assert ([], {200}) == (load.refused, set(load.answers.values()))
    assert set(load.lost.values()) <= clients
    print({"answered": len(load.answers), "lost": len(load.lost), "lines": lines, "counts": counts})  # noqa: T201


def test_reloads(output: Path) -> None:
    """SIGHUP every two seconds for half a minute: nothing is lost at all."""
    with running(output) as service:
        load = Load(service.port)
        with Watcher(service) as watcher, load.running():
            reloads = paced(RELOAD_SECONDS, RELOAD_INTERVAL, lambda: service.signal(signal.SIGHUP))
        watcher.check()
        wait_until(
            lambda: scrape(service).samples['gunicorn_worker_exits_total{reason="stopped"}'] == 2 * reloads,
            "all workers have been replaced each time",
        )
        wait_until_workers(service, 2)
        lines, counts = check_agreement(service, load)
    assert ([], {}, {200}) == (load.refused, load.lost, set(load.answers.values()))
    print({"reloads": reloads, "answered": len(load.answers), "lines": lines, "counts": counts})  # noqa: T201


def test_killed_metrics(output: Path) -> None:
    """The metrics process killed again and again, under load and scrapes: one scrape is lost, at most."""
    with running(output) as service:
        load = Load(service.port)
        with Watcher(service) as watcher, load.running():
            for _ in range(METRICS_KILLS):
                before = len(watcher.scrapes)
                with suppress(psutil.NoSuchProcess):
                    metrics_process(service).kill()
                wait_until(lambda: len(watcher.scrapes) > before + 1, "scrapes are answered again")  # noqa: B023
        watcher.check(kills=METRICS_KILLS)
        lines, counts = check_agreement(service, load)
        assert 2 == scrape(service).samples["gunicorn_workers"]
    assert ([], {}, {200}) == (load.refused, load.lost, set(load.answers.values()))
    print({"answered": len(load.answers), "scrapes": len(watcher.scrapes), "lines": lines, "counts": counts})  # noqa: T201
