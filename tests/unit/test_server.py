"""The server: start-up by its exit statuses, and the order of stopping."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from gunicorn.arbiter import Arbiter as BaseArbiter
from prometheus_client import values

from app import arbiter as arbiter_module
from app import main as app_main
from app import server
from app.arbiter import Arbiter
from app.main import main
from app.pace import BURST, INTERVAL_SECONDS
from app.server import Server
from app.settings import Settings
from app.slots import REQUESTS

if TYPE_CHECKING:
    from tests.support.log_lines import Lines


@pytest.fixture
def start(configured_logs: Callable[..., "Lines"], tmp_path: Path) -> "Callable[..., tuple[int, Lines]]":
    """Start the service with an environment, and give its exit status and its lines."""
    lines = configured_logs()

    def run(**environ: str) -> tuple[int, "Lines"]:
        with (tmp_path / "stdout").open("w") as stream:
            return main(environ, stream), lines

    return run


@pytest.fixture
def taken_port() -> Iterator[int]:
    """Listen on a port."""
    with socket.create_server(("0.0.0.0", 0)) as listener:  # noqa: S104 - as the service does
        yield listener.getsockname()[1]


@pytest.fixture
def free_ports() -> dict[str, str]:
    """Find two ports that are free."""
    with socket.create_server(("", 0)) as one, socket.create_server(("", 0)) as other:
        return {"PORT": str(one.getsockname()[1]), "METRICS_PORT": str(other.getsockname()[1])}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "http"),
        ("METRICS_PORT", "0"),
        ("WEB_CONCURRENCY", "two"),
        ("THREADS", "1.5"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("MAX_BODY_BYTES", "1MB"),
        ("GRACEFUL_TIMEOUT", "-1"),
        ("DRAIN_SECONDS", "5s"),
        ("FORWARDED_ALLOW_IPS", "proxy"),
    ],
)
def test_bad_setting(start: "Callable[..., tuple[int, Lines]]", variable: str, value: str) -> None:
    """A bad setting ends the start with 78 and one line that names variable, value and what is accepted."""
    status, lines = start(**{variable: value})
    line = lines.only
    assert (78, "critical", variable) == (status, line["level"], line["variable"])
    assert line["event"].startswith(f"bad setting: {variable} is {value!r}, but must be ")


@pytest.mark.parametrize("variable", ["PORT", "METRICS_PORT"])
def test_taken_port(
    start: "Callable[..., tuple[int, Lines]]", free_ports: dict[str, str], taken_port: int, variable: str
) -> None:
    """A port that is taken ends the start with 69 and one line that says how to choose another."""
    status, lines = start(**free_ports | {variable: str(taken_port)})
    line = lines.only
    assert (69, "critical", variable) == (status, line["level"], line["variable"])
    expected = f"port {taken_port} cannot be used: Address already in use; choose another, as in {variable}="
    assert line["event"].startswith(expected)


def test_suggested_port_is_accepted(
    start: "Callable[..., tuple[int, Lines]]", free_ports: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The port that is proposed in place of the highest one is one that the setting accepts."""

    def refuse(_port: int) -> None:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(app_main, "_try_to_bind", refuse)
    _, lines = start(**free_ports | {"PORT": "65535"})
    proposed = lines.only["event"].rpartition("PORT=")[2]
    assert proposed == str(Settings.from_environ({"PORT": proposed}, lambda: 1).port)


def test_start(
    start: "Callable[..., tuple[int, Lines]]", free_ports: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With good settings and free ports the server runs, with those settings."""
    ports: list[int] = []

    def run(self: Server) -> None:
        ports.append(self.settings.port)
        self.metrics_server.stop()
        self.metrics_files.remove()

    monkeypatch.setattr(Server, "run", run)
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    assert 0 == start(**free_ports)[0]
    assert [int(free_ports["PORT"])] == ports


@pytest.fixture
def arbiter(
    configured_logs: Callable[..., "Lines"],
    make_settings: Callable[..., Settings],
    free_ports: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Arbiter]]:
    """Make the master process's real object, with nothing started: no listener, no process, the clock at 100."""
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    for name, value in (free_ports | {"SERVER_SOFTWARE": "", "PROMETHEUS_MULTIPROC_DIR": ""}).items():
        monkeypatch.setenv(name, value)
    configured_logs("info")
    clock = SimpleNamespace(now=100.0)
    made: list[Arbiter] = []
    monkeypatch.setattr(arbiter_module, "time", SimpleNamespace(monotonic=lambda: clock.now))

    def make(**changes: Any) -> Arbiter:
        ports = {"port": int(free_ports["PORT"]), "metrics_port": int(free_ports["METRICS_PORT"])}
        arbiter = Arbiter(Server(make_settings(**ports | changes)))
        arbiter.clock = clock
        made.append(arbiter)
        return arbiter

    yield make
    for arbiter in made:
        arbiter.app.metrics_server.stop()
        arbiter.app.metrics_files.remove()


def test_configuration_is_that_of_the_repository(arbiter: Callable[..., Arbiter], free_ports: dict[str, str]) -> None:
    """gunicorn.conf.py is read from any working directory, and the application is loaded once, in the master."""
    made = arbiter()
    assert [f"0.0.0.0:{free_ports['PORT']}"] == made.cfg.bind
    assert (True, True, 8) == (made.cfg.preload_app, made.cfg.control_socket_disable, made.cfg.graceful_timeout)
    assert isinstance(made.app.callable, Flask)
    assert "Arbiter" != made.worker_class.__name__


def test_stop_without_draining(arbiter: Callable[..., Arbiter]) -> None:
    """SIGTERM makes the service unready, and stops at once where there is nothing to wait for."""
    made = arbiter()
    with pytest.raises(StopIteration):
        made.handle_term()
    assert not made.app.readiness


def test_stop_with_draining(arbiter: Callable[..., Arbiter], monkeypatch: pytest.MonkeyPatch) -> None:
    """While draining the service is unready and goes on, its workers are kept up, and then it stops by itself."""
    managed: list[float] = []
    made = arbiter(drain_seconds=5)
    monkeypatch.setattr(BaseArbiter, "manage_workers", lambda self: managed.append(self.clock.now))
    monkeypatch.setattr(made.app.metrics_server, "ensure", lambda *_: None)
    made.handle_term()
    assert not made.app.readiness
    for now in (100.0, 104.9):
        made.clock.now = now
        made.manage_workers()
    made.clock.now = 105.0
    with pytest.raises(StopIteration):
        made.manage_workers()
    assert [100.0, 104.9] == managed


def test_second_signal_ends_the_draining(arbiter: Callable[..., Arbiter]) -> None:
    """Who is in a hurry sends SIGTERM a second time."""
    made = arbiter(drain_seconds=5)
    made.handle_term()
    with pytest.raises(StopIteration):
        made.handle_term()


@pytest.mark.parametrize(
    ("drained_for", "timeout", "expected"), [(None, 1.0, 1.0), (0.0, 1.0, 1.0), (4.75, 1.0, 0.25), (6.0, 1.0, 0.0)]
)
def test_waiting_ends_with_the_draining(
    arbiter: Callable[..., Arbiter],
    monkeypatch: pytest.MonkeyPatch,
    drained_for: float | None,
    timeout: float,
    expected: float,
) -> None:
    """The master waits for signals, but never beyond the end of the draining."""
    timeouts: list[float] = []

    def wait(_self: BaseArbiter, timeout: float) -> list[int]:
        timeouts.append(timeout)
        return [signal.SIGCHLD]

    monkeypatch.setattr(BaseArbiter, "wait_for_signals", wait)
    made = arbiter(drain_seconds=5)
    made.num_workers = 0
    if drained_for is not None:
        made.handle_term()
        made.clock.now += drained_for
    assert [signal.SIGCHLD] == made.wait_for_signals(timeout)
    assert [expected] == timeouts


def alarms(lines: "Lines") -> list[str]:
    """List what has been logged as critical."""
    return [line["event"] for line in lines.json if line["level"] == "critical"]


def test_waiting_ends_with_the_time_for_the_next_worker(
    arbiter: Callable[..., Arbiter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a worker is missing, the master looks again at the pace at which it may start one."""
    timeouts: list[float] = []
    monkeypatch.setattr(BaseArbiter, "wait_for_signals", lambda _, timeout: timeouts.append(timeout))
    made = arbiter()
    for number in (1, 0):
        made.num_workers = number
        made.wait_for_signals(1.0)
    assert [INTERVAL_SECONDS, 1.0] == timeouts


def test_workers_are_started_at_a_pace(arbiter: Callable[..., Arbiter], monkeypatch: pytest.MonkeyPatch) -> None:
    """All that are missing are started at once, at first; where they die again and again, one for each interval."""
    made = arbiter()
    made.num_workers = BURST + 1
    monkeypatch.setattr(BaseArbiter, "spawn_worker", lambda self: started.append(self.clock.now) or 1)
    started: list[float] = []
    for _ in range(2):
        made.spawn_workers()
    assert [100.0] * BURST == started
    made.clock.now += INTERVAL_SECONDS
    made.spawn_workers()
    assert [100.0 + INTERVAL_SECONDS] == started[BURST:]


@pytest.mark.parametrize("is_prepared", [False, True])
def test_a_shortage_ends_no_service(
    arbiter: Callable[..., Arbiter], monkeypatch: pytest.MonkeyPatch, log_lines: "Lines", *, is_prepared: bool
) -> None:
    """Where no worker can be started, this is logged, its place is free again, and no more are tried for this turn."""
    made = arbiter()
    before = made.app.slots.pids()

    def fail(self: BaseArbiter) -> None:
        if is_prepared:
            self.pid = os.getpid()
            self.cfg.pre_fork(self, SimpleNamespace())
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(BaseArbiter, "spawn_worker", fail)
    made.spawn_workers()
    assert ["no worker can be started: Resource temporarily unavailable"] == alarms(log_lines)
    assert before == made.app.slots.pids()
    assert set() == signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_shortage_for_the_metrics_ends_no_service(
    arbiter: Callable[..., Arbiter], monkeypatch: pytest.MonkeyPatch, log_lines: "Lines"
) -> None:
    """Where the process of the metrics cannot be started, this is logged, and tried again at the next turn."""
    made = arbiter()

    def fail() -> int:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(BaseArbiter, "manage_workers", lambda _: None)
    monkeypatch.setattr(os, "fork", fail)
    for _ in range(2):
        made.manage_workers()
    assert ["the metrics cannot be served: Cannot allocate memory"] * 2 == alarms(log_lines)
    assert set() == signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.parametrize(("requests", "expected"), [(0, []), (2, ["worker 17 has ended with requests in progress: 2"])])
def test_what_a_worker_takes_with_it(
    arbiter: Callable[..., Arbiter], log_lines: "Lines", requests: int, expected: list[str]
) -> None:
    """The log tells how many requests were in progress in a worker that has ended."""
    made = arbiter()
    worker = SimpleNamespace(pid=17, slot=made.app.slots.take(17), aborted=False)
    made.app.slots.count(worker.slot, REQUESTS, requests)
    made.cfg.child_exit(made, worker)
    assert expected == [line["event"] for line in log_lines.json if line["level"] == "error"]


@pytest.mark.parametrize("name", ["handle_int", "handle_quit"])
def test_quick_stop(arbiter: Callable[..., Arbiter], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """SIGINT and SIGQUIT stop without grace, also while draining."""
    stopped: list[bool] = []
    made = arbiter(drain_seconds=5)
    monkeypatch.setattr(made, "stop", stopped.append)
    with pytest.raises(StopIteration):
        getattr(made, name)()
    assert ([False], False) == (stopped, bool(made.app.readiness))


def test_no_second_master(arbiter: Callable[..., Arbiter], monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGUSR2 starts nothing."""
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("forked"))
    made = arbiter()
    made.handle_usr2()
    assert 0 == made.reexec_pid


def test_command_line_is_ignored(arbiter: Callable[..., Arbiter], monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither arguments nor GUNICORN_CMD_ARGS change anything."""
    monkeypatch.setattr("sys.argv", ["app/app.py", "--workers", "9"])
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--workers 9")
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    assert 2 == arbiter().cfg.workers


def test_no_room_for_the_metrics(
    start: "Callable[..., tuple[int, Lines]]", free_ports: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the files of the metrics cannot be made, the start ends with 73 and one line that names the place."""

    def refuse(_settings: Settings) -> Server:
        raise OSError(28, "No space left on device", "/full/x")

    monkeypatch.setattr(server, "Server", refuse)
    status, lines = start(**free_ports)
    expected = (73, "no room for the metrics in /full/x: No space left on device")
    assert expected == (status, lines.only["event"])


def test_a_worker_ends_without_taking_the_metrics_along(
    arbiter: Callable[..., Arbiter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker, which ends by the same exception as the master, ends at once and leaves the files to the others."""
    service = arbiter().app
    ended: list[int] = []

    class Forked:
        """A master that finds itself to be a worker, told to end."""

        def __init__(self, _app: Server) -> None:
            pass

        def run(self) -> None:
            monkeypatch.setattr(os, "getpid", lambda: -1)
            raise SystemExit

    monkeypatch.setattr(server, "Arbiter", Forked)
    monkeypatch.setattr(os, "_exit", ended.append)
    with pytest.raises(SystemExit):
        service.run()
    monkeypatch.undo()
    assert ([0], True) == (ended, service.metrics_files.directory.is_dir())
    service.metrics_files.remove()


def test_no_more_workers_than_places(arbiter: Callable[..., Arbiter], monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTTIN adds a worker as long as there is a place for its counts, and is refused after that."""
    monkeypatch.setattr(Arbiter, "manage_workers", lambda _: None)
    made = arbiter()
    capacity = made.app.slots.capacity
    made.num_workers = capacity - 1
    numbers = []
    for _ in range(2):
        made.handle_ttin()
        numbers.append(made.num_workers)
    assert [capacity, capacity] == numbers


def test_the_process_of_the_metrics_lets_go_of_the_workers(
    arbiter: Callable[..., Arbiter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forked while workers run, it keeps neither the port of the service nor the files of their heartbeats."""
    made = arbiter()
    closed: list[str] = []
    port, heartbeat = (SimpleNamespace(close=lambda name=name: closed.append(name)) for name in ("port", "heartbeat"))
    monkeypatch.setattr(made, "LISTENERS", [port])
    monkeypatch.setattr(made, "WORKERS", {1: SimpleNamespace(tmp=heartbeat)})
    made._release_workers()  # noqa: SLF001 - what the forked process calls
    assert ["port", "heartbeat"] == closed
