"""The master process: each method that replaces one of gunicorn's, by what would happen without it."""

import atexit
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from gunicorn.arbiter import Arbiter as BaseArbiter

from app.observability.scoreboard import WorkerState, scoreboard
from app.serving import server, start
from app.serving.arbiter import Arbiter
from app.serving.early_signals import EarlySignals
from app.serving.hooks import Hooks
from app.serving.server import Server

if TYPE_CHECKING:
    from tests.support.log_lines import Lines

Make = Callable[..., Arbiter]


@pytest.fixture
def make(log_lines: "Lines", make_hooks: Callable[..., Hooks], monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:  # noqa: ARG001
    """Make the master process's real object, with nothing started: no listener and no process."""
    monkeypatch.setattr(BaseArbiter, "WORKERS", {})
    monkeypatch.setattr(BaseArbiter, "LISTENERS", [])

    def make(slots: int | None = None, early_signals: Collection[signal.Signals] = (), **settings: Any) -> Arbiter:
        hooks = make_hooks(slots, **settings)
        monkeypatch.setattr(start, "_prepared", hooks)
        arbiter = Arbiter(Server(hooks, {}), hooks, EarlySignals((), early_signals))
        arbiter.pid = os.getpid()
        monkeypatch.setattr(hooks.metrics_server, "ensure", lambda _: None)
        return arbiter

    yield make
    sys.path[:] = [path for path in sys.path if path]


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Collect the signals that are sent to workers."""
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(BaseArbiter, "kill_worker", lambda _, pid, number: killed.append((pid, number)))
    return killed


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the ages of the workers that are started, in the place of processes."""
    ages: list[int] = []

    def spawn(self: Arbiter) -> int:
        self.worker_age += 1
        self.WORKERS[1000 + self.worker_age] = SimpleNamespace(age=self.worker_age, slot=self.worker_age)
        ages.append(self.worker_age)
        return 1000 + self.worker_age

    monkeypatch.setattr(BaseArbiter, "spawn_worker", spawn)
    return ages


def test_configuration(make: Make, ports: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """gunicorn.conf.py is read whatever the command line says, and the application is loaded once, in the master."""
    monkeypatch.setattr("sys.argv", ["app/app.py", "--workers", "9"])
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--workers 9")
    made = make()
    assert ([f"127.0.0.1:{ports['PORT']}"], 2) == (made.cfg.bind, made.cfg.workers)
    assert (True, True, 8) == (made.cfg.preload_app, made.cfg.control_socket_disable, made.cfg.graceful_timeout)
    assert isinstance(made.app.callable, Flask)
    assert "app.serving.worker.Worker" == made.cfg.worker_class_str


@pytest.mark.parametrize("has_slot", [False, True])
def test_a_shortage_ends_no_service(
    make: Make, monkeypatch: pytest.MonkeyPatch, log_lines: "Lines", *, has_slot: bool
) -> None:
    """spawn_worker(): where no worker can be started, this is logged, its slot is free, and no signal is blocked."""
    made = make()
    before = scoreboard.taken()

    def fail(self: Arbiter) -> None:
        if has_slot:
            self.cfg.pre_fork(self, SimpleNamespace())
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(BaseArbiter, "spawn_worker", fail)
    assert None is made.spawn_worker()
    assert "cannot start a worker: Resource temporarily unavailable" == log_lines.json[-1]["event"]
    assert (before, set()) == (scoreboard.taken(), signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def test_no_more_workers_than_slots(make: Make, spawned: list[int]) -> None:
    """spawn_worker(): SIGTTIN adds a worker as long as there is a slot for it."""
    made = make(slots=2)
    assert [1001, 1002, None] == [made.spawn_worker() for _ in range(3)]
    assert [1, 2] == spawned


def test_a_second_sigterm_reaches_the_workers(make: Make, killed: list[tuple[int, int]]) -> None:
    """signal(): the master announces a stop, and hands on the second SIGTERM."""
    made = make()
    made.WORKERS[17] = SimpleNamespace(age=1)
    made.signal(signal.SIGTERM, None)
    assert ([], 1) == (killed, scoreboard.stop_requests)
    made.signal(signal.SIGTERM, None)
    made.signal(signal.SIGCHLD, None)
    assert ([(17, signal.SIGTERM)], 2) == (killed, scoreboard.stop_requests)
    assert [signal.SIGTERM, signal.SIGTERM, signal.SIGCHLD] == made.wait_for_signals(0.0)


@pytest.mark.parametrize("has_signal", [False, True])
def test_stop(make: Make, monkeypatch: pytest.MonkeyPatch, *, has_signal: bool) -> None:
    """stop(): the workers hear of a stop once, whatever began it."""
    stopped: list[bool] = []
    monkeypatch.setattr(BaseArbiter, "stop", lambda _, graceful: stopped.append(graceful))
    made = make()
    if has_signal:
        made.signal(signal.SIGTERM, None)
    made.stop(False)
    assert ([False], 1) == (stopped, scoreboard.stop_requests)


def test_a_signal_that_comes_during_the_start(make: Make) -> None:
    """init_signals(): what has come before there was a handler is handled now."""
    handlers = {number: signal.getsignal(number) for number in [*Arbiter.SIGNALS, signal.SIGCHLD]}
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    signal.raise_signal(signal.SIGHUP)
    made = make(early_signals={signal.SIGHUP})
    made.init_signals()
    for number, handler in handlers.items():
        signal.signal(number, handler)
    assert [signal.SIGHUP] == made.wait_for_signals(0.0)
    assert set() == signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_reload(make: Make, spawned: list[int], killed: list[tuple[int, int]]) -> None:
    """handle_hup(): new workers are started first, the old ones leave, and the next reload waits for them."""
    made = make()
    made.manage_workers()
    assert ([1, 2], []) == (spawned, killed)
    made.handle_hup()
    made.manage_workers()
    assert [1, 2, 3, 4] == spawned
    assert {(1001, signal.SIGTERM), (1002, signal.SIGTERM)} == set(killed)
    made.handle_hup()
    made.manage_workers()
    assert [1, 2, 3, 4] == spawned
    del made.WORKERS[1003]  # A new one dies, and has a successor while the old ones leave.
    made.manage_workers()
    assert [1, 2, 3, 4, 5] == spawned
    for pid in (1001, 1002):
        del made.WORKERS[pid]
    made.manage_workers()
    assert [1, 2, 3, 4, 5, 6, 7] == spawned


@pytest.mark.parametrize("state", [WorkerState.RETIRING, WorkerState.LEAVING])
def test_a_worker_that_leaves_by_itself(
    make: Make, spawned: list[int], killed: list[tuple[int, int]], state: WorkerState
) -> None:
    """manage_workers(): its successor is started first, none but it is ended, and no reload has to wait for it."""
    made = make()
    made.manage_workers()
    scoreboard.set_state(2, state)
    made.manage_workers()
    assert ([1, 2, 3], [(1002, signal.SIGTERM)]) == (spawned, killed)
    made.handle_hup()
    made.manage_workers()
    assert ([1, 2, 3, 4], {1001, 1002}) == (spawned, {pid for pid, _ in killed})
    del made.WORKERS[1002]
    made.manage_workers()
    assert ([1, 2, 3, 4, 5], {1001, 1002, 1003}) == (spawned, {pid for pid, _ in killed})


def test_workers_that_leave_do_not_pile_up(make: Make, spawned: list[int], killed: list[tuple[int, int]]) -> None:
    """manage_workers(): where successors retire before their predecessors are gone, there are twice as many at most."""
    made = make()
    for _ in range(3):
        made.manage_workers()
        for worker in made.WORKERS.values():
            scoreboard.set_state(worker.slot, WorkerState.RETIRING)
    assert ([1, 2, 3, 4], {1001, 1002}) == (spawned, {pid for pid, _ in killed})


def test_reload_where_all_slots_are_taken(make: Make, spawned: list[int], killed: list[tuple[int, int]]) -> None:
    """manage_workers(): without a slot for a new worker, no old one is ended."""
    made = make(slots=2)
    made.manage_workers()
    made.handle_hup()
    made.manage_workers()
    assert ([1, 2], []) == (spawned, killed)


def test_a_terminal_that_is_gone(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """handle_hup(): where the terminal of a service in the foreground is closed, the service ends."""
    monkeypatch.setattr(os, "isatty", lambda _: True)
    made = make()
    made.handle_hup()
    monkeypatch.setattr(os, "isatty", lambda _: False)
    with pytest.raises(StopIteration):
        made.handle_hup()


def test_no_second_master(make: Make, monkeypatch: pytest.MonkeyPatch, log_lines: "Lines") -> None:
    """handle_usr2(): SIGUSR2 starts nothing, and says so."""
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("forked"))
    make().handle_usr2()
    assert "SIGUSR2 is not supported: start another instance instead" == log_lines.json[-1]["event"]


def test_a_shortage_for_the_metrics_ends_no_service(
    make: Make, spawned: list[int], monkeypatch: pytest.MonkeyPatch, log_lines: "Lines"
) -> None:
    """manage_workers(): where the metrics process cannot be started, this is logged, and tried again."""
    made = make()

    def fail(_release: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(made.app._hooks.metrics_server, "ensure", fail)  # noqa: SLF001 - what the master has
    for _ in range(2):
        made.manage_workers()
    events = [line["event"] for line in log_lines.json]
    assert (2, [1, 2]) == (events.count("cannot serve the metrics: Cannot allocate memory"), spawned)


def test_the_process_of_the_metrics_lets_go_of_the_workers(
    make: Make, spawned: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """manage_workers(): forked while workers run, it keeps neither their port nor the files of their heartbeats."""
    made = make()
    closed: list[str] = []
    made.manage_workers()
    for worker in made.WORKERS.values():
        worker.tmp = SimpleNamespace(close=lambda: closed.append("heartbeat"))
    made.LISTENERS = [SimpleNamespace(close=lambda: closed.append("port"))]
    monkeypatch.setattr(made.app._hooks.metrics_server, "ensure", lambda release: release())  # noqa: SLF001
    made.manage_workers()
    assert (["port", "heartbeat", "heartbeat"], [1, 2]) == (closed, spawned)


@pytest.mark.parametrize("is_worker", [False, True])
@pytest.mark.parametrize(("code", "status"), [(3, 3), (None, 0), ("DATABASE_URL is missing", 1)])
def test_the_end_of_a_process(  # noqa: PLR0913 - two fixtures, two tables
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
    log_lines: "Lines",
    *,
    is_worker: bool,
    code: str | int | None,
    status: int,
) -> None:
    """A worker ends by the same exception as the master, but skips what comes after the `atexit` functions.

    What an application says in place of a status is logged.
    """
    application = make().app
    ended: list[int] = []
    registered: list[Callable[[], None]] = []

    class Ending:
        """A master, or what finds itself to be a worker, told to end."""

        def __init__(self, *_: object) -> None:
            pass

        def run(self) -> None:
            """End."""
            if is_worker:
                monkeypatch.setattr(os, "getpid", lambda: -1)
            raise SystemExit(code)

    monkeypatch.setattr(server, "Arbiter", Ending)
    monkeypatch.setattr(server, "EarlySignals", lambda *_: None)
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(atexit, "register", registered.append)
    with pytest.raises(SystemExit) as end:
        application.run()
    assert [] == ended
    for function in registered:
        function()
    monkeypatch.undo()
    assert (status, [status] if is_worker else []) == (end.value.code, ended)
    expected = [("critical", code)] if isinstance(code, str) else []
    lines = [(line["level"], line["event"]) for line in log_lines.json]
    assert expected == [line for line in lines if line[0] != "debug"]


def test_the_end_of_the_loading(make: Make, monkeypatch: pytest.MonkeyPatch, log_lines: "Lines") -> None:
    """A stop that comes while the application is loaded is told, and leaves no metric files."""
    application = make().app

    def load(*_: object) -> None:
        raise SystemExit(0)

    monkeypatch.setattr(server, "Arbiter", load)
    monkeypatch.setattr(server, "EarlySignals", lambda *_: None)
    with pytest.raises(SystemExit) as end:
        application.run()
    assert (0, "ended before the application was loaded") == (end.value.code, log_lines.json[-1]["event"])
    assert not application._hooks.metric_files.directory.exists()  # noqa: SLF001
