"""The master and its workers: the dead are replaced, the number can be changed, none is left over."""

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.support import example
from tests.support.http_client import Client, exchange, get, is_refused
from tests.support.scraping import scrape
from tests.support.service import LIMIT_SECONDS, Service, running, wait_until, wait_until_workers

# For a successor, before it goes without one where another worker serves.
MORE_THAN_A_WORKER_WAITS = 3.0


def test_a_killed_worker_is_replaced(output: Path) -> None:
    """When all workers die at once, new ones take their place, and the log says what has happened."""
    with running(output) as service:
        before = wait_until_workers(service, 2)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_until_workers(service, 2, other_than=before)
        assert exchange(service.port, example.REQUEST).body == example.ANSWER
        killed = [line for line in service.lines() if "SIGKILL" in line["event"]]
        assert ["error"] * 2 == [line["level"] for line in killed]


def test_a_worker_that_retires_has_a_successor(output: Path) -> None:
    """The only worker has served enough requests and still has a slow client: the next one does not wait for it."""
    with (
        running(output, arguments=["--max-requests", 20], WEB_CONCURRENCY=1, GRACEFUL_TIMEOUT=3600) as service,
        Client(service.port) as slow,
    ):
        (retiring,) = wait_until_workers(service, 1)
        slow.send(example.REQUEST[:-1])

        def has_another_worker_answered() -> bool:
            assert (200, 200) == (exchange(service.port, example.REQUEST).status, get(service.port, "/readyz").status)
            return any(line["pid"] != retiring for line in service.requests())

        wait_until(has_another_worker_answered, "its successor serves")
        wait_until(lambda: not listens(retiring), "the first worker accepts no more clients")
        with Client(service.port) as other:
            other.send(example.REQUEST[:-1])  # It keeps the successor: there is no room for a third one.
            end = time.monotonic() + MORE_THAN_A_WORKER_WAITS
            while time.monotonic() < end:
                assert (200, 200) == (
                    exchange(service.port, example.REQUEST).status,
                    get(service.port, "/readyz").status,
                )
            assert 2 == boots(service)
            assert example.ANSWER == other.ask(example.REQUEST[-1:]).body
        assert example.ANSWER == slow.ask(example.REQUEST[-1:]).body


def listens(pid: int) -> bool:
    """Tell whether a process accepts clients."""
    return any(connection.status == psutil.CONN_LISTEN for connection in psutil.Process(pid).net_connections())


def boots(service: Service) -> int:
    """Count the workers that have been started."""
    return sum(line["event"].startswith("Booting worker") for line in service.lines())


def cpu_seconds(service: Service) -> float:
    """Measure the CPU time of the master, and of the children that it has outlived."""
    return sum(psutil.Process(service.process.pid).cpu_times()[:4])


def test_workers_that_fail_do_not_let_the_master_spin(output: Path, tmp_path: Path) -> None:
    """Where each worker fails as soon as it runs, a CPU is not busy with it; when the cause has gone, it serves."""
    failing = tmp_path / "failing"
    with running(output, arguments=["--failing", failing]) as service:
        before = boots(service)
        failing.touch()
        for pid in service.workers():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: boots(service) >= before + 2, "workers fail")
        begun, spent = time.monotonic(), cpu_seconds(service)
        # gunicorn waits for a random time before each: over eight of them, that was half of what it is on average.
        wait_until(lambda: boots(service) >= before + 40, "more workers fail")
        assert (cpu_seconds(service) - spent) / (time.monotonic() - begun) < 0.5
        wait_until(
            lambda: scrape(service).samples['gunicorn_worker_exits_total{reason="crashed"}'] >= 40,
            "the last of them has been counted",
        )
        failing.unlink()
        wait_until_workers(service, 2)
        service.wait_until_ready()
        assert exchange(service.port, example.REQUEST).body == example.ANSWER


@pytest.mark.measured
def test_workers_do_not_outlive_the_master(output: Path) -> None:
    """When the master is killed, the workers end by themselves, and the ports are free again."""
    with running(output) as service:
        children = service.tree()[1:]
        service.process.kill()
        service.wait()
        _, alive = psutil.wait_procs(children, LIMIT_SECONDS)
        assert [] == alive
        assert is_refused(service.port)


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGTTIN, 3), (signal.SIGTTOU, 1)])
def test_the_number_of_workers_can_be_changed(output: Path, number: signal.Signals, workers: int) -> None:
    """SIGTTIN adds a worker, SIGTTOU removes one, and the service goes on."""
    with running(output) as service:
        wait_until_workers(service, 2)
        service.signal(number)
        wait_until_workers(service, workers)
        assert exchange(service.port, example.REQUEST).body == example.ANSWER


def test_sigusr2_starts_no_second_master(service: Service) -> None:
    """A second master would want the same metrics port: the signal is refused with a line."""
    service.signal(signal.SIGUSR2)
    wait_until(lambda: [line for line in service.lines() if "SIGUSR2" in line["event"]], "the refusal is logged")
    assert exchange(service.port, example.REQUEST).body == example.ANSWER
