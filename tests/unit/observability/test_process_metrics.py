"""The metrics of the processes, with processes that the test makes up, and with real ones."""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import psutil
import pytest

from app.observability.process_metrics import ProcessMetrics
from app.observability.scoreboard import CONNECTIONS, IN_PROGRESS, WAITING, Scoreboard
from app.version import __version__

MASTER, SERVER, WORKER, OTHER_WORKER = 1, 2, 3, 4


class Times(NamedTuple):
    """Processor time as psutil tells it."""

    user: float
    system: float
    children_user: float
    children_system: float


class Shared(NamedTuple):
    """Memory on a system that tells what is shared."""

    rss: int
    pss: int


class Resident(NamedTuple):
    """Memory on any other system."""

    rss: int


class Process:
    """A process as psutil shows it."""

    def __init__(self, pid: int, seconds: float, *, past_seconds: float = 0.0) -> None:
        self.pid = pid
        self.seconds = seconds
        self.past_seconds = past_seconds
        self.memory: Shared | Resident = Shared(rss=1000, pss=100 * pid)
        self.is_dead = False

    def oneshot(self) -> AbstractContextManager[None]:
        """Read all at once."""
        return nullcontext()

    def cpu_times(self) -> Times:
        """Tell the processor time; half of it was the system's."""
        if self.is_dead:
            raise psutil.NoSuchProcess(self.pid)
        return Times(self.seconds / 2, self.seconds / 2, self.past_seconds / 2, self.past_seconds / 2)

    def memory_info(self) -> Shared | Resident:
        """Tell the memory."""
        return self.memory

    memory_full_info = memory_info

    def num_fds(self) -> int:
        """Tell the number of descriptors."""
        return 10

    def create_time(self) -> float:
        """Tell the start."""
        return 1_700_000_000.0 + self.pid


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> dict[int, Process]:
    """Make up the processes of a server with two workers."""
    processes = {pid: Process(pid, 1.0) for pid in (MASTER, SERVER, WORKER, OTHER_WORKER)}

    def find(pid: int) -> Process:
        if pid not in processes:
            raise psutil.NoSuchProcess(pid)
        return processes[pid]

    monkeypatch.setattr(psutil, "Process", find)
    return processes


@pytest.fixture
def board() -> Scoreboard:
    """Make the scoreboard of the two workers."""
    board = Scoreboard(3)
    board.take(WORKER)
    board.take(OTHER_WORKER)
    return board


def samples(metrics: ProcessMetrics) -> dict[str, float]:
    """Read all metrics that have no labels."""
    return {s.name: s.value for metric in metrics.collect() for s in metric.samples if not s.labels}


def test_whole_tree(processes: dict[int, Process], board: Scoreboard) -> None:
    """Memory, descriptors and processor time are those of the master, of the workers and of who serves the metrics."""
    processes[MASTER].past_seconds = 7.0
    for slot, pid in enumerate((WORKER, OTHER_WORKER)):
        board.enter(slot, pid)
        for column in (IN_PROGRESS, WAITING, CONNECTIONS):
            board.count(column, (slot + 1) * column)
    expected = {
        "process_resident_memory_bytes": 1000,
        "process_cpu_seconds_total": 11.0,
        "process_start_time_seconds": 1_700_000_001.0,
        "process_open_fds": 40,
        "gunicorn_workers": 2,
        "http_requests_in_progress": 3 * IN_PROGRESS,
        "http_requests_waiting": 3 * WAITING,
        "http_connections": 3 * CONNECTIONS,
    }
    assert expected == samples(ProcessMetrics(board, MASTER, [SERVER], ""))


def test_memory_where_no_system_tells_what_is_shared(processes: dict[int, Process], board: Scoreboard) -> None:
    """On a system without proportional sizes, the memory is the sum of the resident ones."""
    for process in processes.values():
        process.memory = Resident(rss=5)
    assert 20 == samples(ProcessMetrics(board, MASTER, [SERVER], ""))["process_resident_memory_bytes"]


def test_a_worker_that_is_being_forked_is_not_the_master_twice(
    processes: dict[int, Process], board: Scoreboard
) -> None:
    """As long as a slot is taken in the name of the master, the master still counts once."""
    metrics = ProcessMetrics(board, MASTER, [SERVER], "")
    before = samples(metrics)
    board.take(MASTER)
    after = samples(metrics)
    assert len(processes) == 4
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"):
        assert before[name] == after[name]


def test_a_worker_that_is_gone_is_passed_over(processes: dict[int, Process], board: Scoreboard) -> None:
    """A worker on the scoreboard that the system does not know, or no longer, is no error."""
    metrics = ProcessMetrics(board, MASTER, [SERVER], "")
    del processes[WORKER]
    processes[OTHER_WORKER].is_dead = True
    assert 20 == samples(metrics)["process_open_fds"]
    assert 300 == samples(metrics)["process_resident_memory_bytes"]


def test_processor_time_never_goes_back(processes: dict[int, Process], board: Scoreboard) -> None:
    """Between the death of a worker and the moment that the master has its time, the highest value stands."""
    metrics = ProcessMetrics(board, MASTER, [SERVER], "")
    seconds = [samples(metrics)["process_cpu_seconds_total"]]
    processes[WORKER].is_dead = True
    seconds.append(samples(metrics)["process_cpu_seconds_total"])
    board.release(0)
    processes[MASTER].past_seconds = 1.0
    seconds.append(samples(metrics)["process_cpu_seconds_total"])
    processes[MASTER].seconds = 2.5
    seconds.append(samples(metrics)["process_cpu_seconds_total"])
    assert [4.0, 4.0, 4.0, 5.5] == seconds


def test_info() -> None:
    """What is running is told by labels."""
    (info,) = [m for m in ProcessMetrics(Scoreboard(1), os.getpid(), [], "abc").collect() if m.name == "app_info"]
    (sample,) = info.samples
    assert 1 == sample.value
    assert {"version": __version__, "revision": "abc"} == {k: v for k, v in sample.labels.items() if k != "python"}


def test_real_process() -> None:
    """Of a server that is this process alone, all values are there."""
    assert all(
        value > 0
        for name, value in samples(ProcessMetrics(Scoreboard(1), os.getpid(), [], "")).items()
        if name.startswith("process_")
    )
