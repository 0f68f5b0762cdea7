"""The metrics while processes die: nothing is lost, nothing is left behind, no scrape fails."""

import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import psutil
import pytest

from tests.support import example
from tests.support.http_client import Client, exchange, get
from tests.support.load import lost_in_progress
from tests.support.scraping import ANSWERED, REQUESTS, Scrape, metrics_folder, metrics_process, scrape
from tests.support.service import LIMIT_SECONDS, Service, running, wait_until

EXITS = "gunicorn_worker_exits_total"

CLIENTS = 4
SCRAPES = 200
REQUESTS_PER_SCRAPE = 10
SCRAPES_PER_KILL = 20


class Load:
    """Clients that send as many requests as they are told to.

    Each on a connection of its own: a worker that ends waits a second for those who keep theirs, a hundred times here.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._tasks: SimpleQueue[bool] = SimpleQueue()
        self.statuses: list[int] = []
        self.cut_off: list[OSError] = []

    def send(self, requests: int) -> None:
        """Let the clients send this number of further requests."""
        for _ in range(requests):
            self._tasks.put(True)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the clients; at the end, wait until all requests have been sent."""
        clients = [Thread(target=self._run) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            yield
        finally:
            for _ in clients:
                self._tasks.put(False)
            for client in clients:
                client.join()  # Each of its requests has a limit. With one for all, some were not yet counted.

    def _run(self) -> None:
        while self._tasks.get():
            try:
                self.statuses.append(exchange(self._port, example.REQUEST).status)
            except OSError as error:
                self.cut_off.append(error)


def kill_one_worker(service: Service) -> None:
    """End a worker, whichever it is, by SIGKILL."""
    worker = random.choice(wait_until(service.workers, "there is a worker"))  # noqa: S311 - no secret
    with suppress(ProcessLookupError):
        os.kill(worker, signal.SIGKILL)


def went_back(earlier: Scrape, later: Scrape) -> dict[str, tuple[float, float | None]]:
    """Find the counts that are lower in a later scrape, or missing in it."""
    values = later.samples
    pairs = {sample: (value, values.get(sample)) for sample, value in earlier.counting().items()}
    return {sample: pair for sample, pair in pairs.items() if pair[1] is None or pair[1] < pair[0]}


def ended_workers(service: Service) -> int:
    """Count the workers that have been started and are no more."""
    return sum(line["event"].startswith("Booting worker") for line in service.lines()) - len(service.workers())


def handled_signals(service: Service) -> list[str]:
    """List the signals that the master has handled so far."""
    events = [line["event"] for line in service.lines()]
    return [event for event in events if event.startswith("Handling signal: ttin")]


def test_no_count_is_lost_when_workers_are_recycled_and_killed(output: Path) -> None:
    """With workers that last 20 requests, and ten killed, totals are exact, never go back, and no file is added."""
    with running(output, arguments=["--max-requests", 20]) as service:
        folder = metrics_folder(service)
        files = sorted(folder.iterdir())
        load = Load(service.port)
        wait_until(lambda: scrape(service).samples["http_requests_in_progress"] == 0, "the first probes are counted")
        scrapes = [scrape(service)]
        with load.running():
            for number in range(SCRAPES):
                load.send(REQUESTS_PER_SCRAPE)
                if number % SCRAPES_PER_KILL == 0:
                    kill_one_worker(service)
                scrapes.append(scrape(service))
        wait_until(lambda: scrape(service).samples["http_requests_in_progress"] == 0, "the last requests are counted")
        scrapes.append(scrape(service))
        assert {200} == {answer.status for answer in scrapes}
        assert [{}] * (SCRAPES + 1) == [went_back(*pair) for pair in pairwise(scrapes)]

        assert {200} == set(load.statuses)
        assert SCRAPES * REQUESTS_PER_SCRAPE == len(load.statuses) + len(load.cut_off)
        counted = scrapes[-1].total(REQUESTS) - scrapes[0].total(REQUESTS)
        # A request is counted once its response is with the kernel: of those that a worker was ending when it was
        # killed, some were answered and not counted. The service says of how many this may be true.
        assert len(load.statuses) - lost_in_progress(service) <= counted <= len(load.statuses) + len(load.cut_off)
        assert len(load.cut_off) <= SCRAPES / SCRAPES_PER_KILL * CLIENTS

        wait_until(lambda: scrape(service).samples["gunicorn_workers"] == 2, "both workers are there again")
        wait_until(lambda: scrape(service).total(EXITS) == ended_workers(service), "all deaths are counted")
        assert files == sorted(folder.iterdir())
        assert [] == [line["traceback"] for line in service.lines() if "traceback" in line]
        exits = scrape(service)
        assert 1 <= exits.samples['gunicorn_worker_exits_total{reason="crashed"}'] <= SCRAPES / SCRAPES_PER_KILL
        assert exits.samples['gunicorn_worker_exits_total{reason="timeout"}'] == 0
        assert exits.samples["http_requests_in_progress"] == 0


def test_a_request_cut_off_by_a_kill_is_no_longer_in_progress_and_not_counted(output: Path, tmp_path: Path) -> None:
    """A worker that is killed at work takes its unfinished request with it, and no finished one; the log says so."""
    with running(output, arguments=[], WEB_CONCURRENCY=1) as service:
        assert exchange(service.port, example.REQUEST).status == 200
        wait_until(lambda: scrape(service).samples[ANSWERED] == 1, "the first request is counted")
        before = scrape(service)
        (worker,) = service.workers()
        with Client(service.port) as client:
            client.send(f"GET /wait?gate={tmp_path}/gate HTTP/1.1\r\nHost: test\r\n\r\n".encode())
            wait_until(lambda: scrape(service).samples["http_requests_in_progress"] == 1, "the request is in progress")
            kill_one_worker(service)
            with suppress(ConnectionResetError):
                assert client.is_at_end()
        crashed = 'gunicorn_worker_exits_total{reason="crashed"}'
        wait_until(lambda: scrape(service).samples[crashed] == 1, "the death is counted")
        after = scrape(service)
        assert after.samples["http_requests_in_progress"] == 0
        assert before.total(REQUESTS) == after.total(REQUESTS)
        assert f"worker {worker} exited with 1 requests in progress" in [line["event"] for line in service.lines()]
        assert exchange(service.port, example.REQUEST).status == 200
        wait_until(lambda: scrape(service).total(REQUESTS) == before.total(REQUESTS) + 1, "the next one is counted")


def test_a_request_that_hangs_is_logged_and_counted_as_a_failure(output: Path, tmp_path: Path) -> None:
    """The client that made a worker hang is found in the log, although the client has no answer."""
    with running(output, arguments=["--timeout", 1], WEB_CONCURRENCY=1) as service:
        with pytest.raises(ConnectionResetError):
            get(service.port, f"/wait?gate={tmp_path}/gate")
        (line,) = wait_until(lambda: service.requests(path="/wait"), "the request has a line")
        assert (500, "SystemExit") == (line["status"], line["error"])
        exits = 'gunicorn_worker_exits_total{reason="timeout"}'
        wait_until(lambda: scrape(service).samples[exits] == 1, "the death is counted")
        assert 1 == scrape(service).samples[f'{REQUESTS}{{method="GET",route="/wait",status="500"}}']


def test_the_process_of_the_metrics_comes_back(output: Path) -> None:
    """When the process that serves the metrics is killed, scrapes wait for its successor, and none fails."""
    with running(output) as service:
        first = metrics_process(service)
        before = scrape(service)
        for _ in range(3):
            metrics_process(service).kill()
            answer = scrape(service)
            assert answer.status == 200
            assert {} == went_back(before, answer)
        assert first != metrics_process(service)
        assert exchange(service.port, example.REQUEST).status == 200
        wait_until(lambda: scrape(service).samples[ANSWERED] == 1, "the request is counted")
        assert 2 == len(service.workers())


def test_counts_survive_a_reload(output: Path) -> None:
    """SIGHUP replaces all workers; their counts stay, in the same files."""
    with running(output) as service:
        folder = metrics_folder(service)
        files = sorted(folder.iterdir())
        assert exchange(service.port, example.REQUEST).status == 200
        wait_until(lambda: scrape(service).samples[ANSWERED] == 1, "the request is counted")
        before, old = scrape(service), service.workers()
        service.signal(signal.SIGHUP)
        wait_until(lambda: len(service.workers()) == 2 and not set(old) & set(service.workers()), "all are replaced")
        wait_until(lambda: scrape(service).total(EXITS) == 2, "the old ones are counted")
        after = scrape(service)
        assert {} == went_back(before, after)
        assert 1 == after.samples[ANSWERED]
        assert 2 == after.samples['gunicorn_worker_exits_total{reason="stopped"}']
        assert files == sorted(folder.iterdir())


def test_more_workers_than_slots_do_not_end_the_service(output: Path) -> None:
    """SIGTTIN beyond the number of slots adds no worker, and does not bring the master down."""
    with running(output, arguments=["--slots", 3]) as service:
        for handled in (1, 2, 3):
            service.signal(signal.SIGTTIN)
            wait_until(lambda: len(handled_signals(service)) == handled, "SIGTTIN is handled")  # noqa: B023
        wait_until(lambda: scrape(service).samples["gunicorn_workers"] == 3, "there are three workers")
        assert exchange(service.port, example.REQUEST).status == 200


def test_a_stop_leaves_no_file(output: Path) -> None:
    """The folder of the metrics exists as long as the server runs."""
    with running(output) as service:
        folder = metrics_folder(service)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert service.stop() == 0
        assert not folder.exists()


@pytest.mark.measured
def test_a_killed_master_leaves_neither_files_nor_processes(output: Path) -> None:
    """When the master is killed, the metrics process removes the folder, and all processes end."""
    with running(output) as service:
        folder = metrics_folder(service)
        children = service.tree()[1:]
        service.process.kill()
        wait_until(lambda: not folder.exists(), "the folder is removed")
        _, alive = psutil.wait_procs(children, LIMIT_SECONDS)
        assert [] == alive


def test_a_start_removes_what_a_killed_service_left(output: Path, tmp_path: Path) -> None:
    """Where the master and the metrics process are killed at once, the next start removes their folder."""
    shared_memory = tmp_path / "shared_memory"
    shared_memory.mkdir()
    with running(output, arguments=["--shared-memory", shared_memory]) as service:
        folder = metrics_folder(service)
        with running(tmp_path / "other", arguments=["--shared-memory", shared_memory]):
            assert folder.exists()  # It is in use.
        processes = service.tree()
        for process in processes:
            process.suspend()
        for process in processes:
            process.kill()
        psutil.wait_procs(processes[1:], LIMIT_SECONDS)
        assert [folder] == list(shared_memory.iterdir())
        with running(tmp_path / "next", arguments=["--shared-memory", shared_memory]) as successor:
            assert [metrics_folder(successor)] == list(shared_memory.iterdir())


def test_a_stop_right_after_a_start_of_the_process_of_the_metrics(output: Path) -> None:
    """SIGTERM ends the service although the metrics process gets it before it has a handler."""
    with running(output, arguments=["--slow-metrics"]) as service:
        assert service.stop() == 0


def test_a_broken_file_fails_a_scrape_and_not_the_process(output: Path) -> None:
    """An unreadable file is a 500 and a line in the log; without it, the same process goes on."""
    with running(output) as service:
        process = metrics_process(service)
        broken = metrics_folder(service) / "counter_slot-9.db"
        broken.write_bytes(b"broken")
        assert 500 == scrape(service).status
        broken.unlink()
        assert 200 == scrape(service).status
        assert process == metrics_process(service)
        (line,) = [line for line in service.lines() if line["level"] == "error"]
        assert "struct.error" in line["traceback"]
