"""A reload that takes long, because a client is in the middle of a request: the master goes on with everything else."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import example
from tests.support.http_client import Client, exchange, get
from tests.support.scraping import metrics_process, scrape
from tests.support.service import Service, running, wait_until, wait_until_workers

GRACE_SECONDS = 60  # Longer than anything here waits for.


@contextmanager
def reloading(service: Service, times: int = 1) -> Iterator[set[int]]:
    """Ask for reloads while a client holds on to its worker, which they have to wait for; give the new workers."""
    before = wait_until_workers(service, 2)
    with Client(service.port) as client:
        client.send(example.REQUEST[:-1])
        assert exchange(service.port, example.REQUEST).body == example.ANSWER
        for _ in range(times):
            service.signal(signal.SIGHUP)
        wait_until(lambda: len(set(service.workers()) - before) == 2, "the new workers are there")
        yield set(service.workers()) - before
        assert set(service.workers()) & before
        assert client.ask(example.REQUEST[-1:]).body == example.ANSWER


def test_a_stop_passes_reloads(output: Path) -> None:
    """SIGTERM begins the stop at once, however many reloads were asked for before."""
    with running(output, GRACEFUL_TIMEOUT=GRACE_SECONDS, DRAIN_SECONDS=3600) as service:
        with reloading(service, times=3):
            service.signal(signal.SIGTERM)
            wait_until(lambda: get(service.port, "/readyz").status == 503, "the stop has begun")
        assert service.stop() == 0


def test_a_worker_that_dies_is_replaced(output: Path) -> None:
    """A new worker that is killed has a successor before the old ones have left."""
    with running(output, GRACEFUL_TIMEOUT=GRACE_SECONDS) as service, reloading(service) as new:
        for pid in new:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(set(service.workers()) - new) == 3, "there are two new ones, and one that leaves")
        assert exchange(service.port, example.REQUEST).body == example.ANSWER


def test_the_process_of_the_metrics_comes_back(output: Path) -> None:
    """Scrapes do not wait for the end of a reload."""
    with running(output, GRACEFUL_TIMEOUT=GRACE_SECONDS) as service, reloading(service):
        metrics_process(service).kill()
        assert scrape(service).status == 200


def test_reloads_that_come_too_soon_become_one(output: Path) -> None:
    """Of many reloads that are asked for at once, one begins now, and one when the old workers have left."""
    with running(output, GRACEFUL_TIMEOUT=GRACE_SECONDS) as service:
        with reloading(service, times=20):
            pass
        wait_until_workers(service, 2)
        assert exchange(service.port, example.REQUEST).body == example.ANSWER
        assert service.stop() == 0
        assert sum(line["event"].startswith("Booting worker") for line in service.lines()) in {4, 6}


def test_a_reload_where_all_places_are_taken(output: Path) -> None:
    """With as many workers as there are places for, a reload ends no service; it replaces them one by one."""
    with running(output, arguments=["--slots", 3]) as service:
        before = wait_until_workers(service, 2)
        service.signal(signal.SIGTTIN)
        wait_until_workers(service, 3)
        service.signal(signal.SIGHUP)
        wait_until(lambda: not before & set(service.workers()), "the old workers have left")
        wait_until_workers(service, 2)
        assert exchange(service.port, example.REQUEST).body == example.ANSWER
