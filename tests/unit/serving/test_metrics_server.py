"""The server of the metrics: its process, which the master keeps alive."""

import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from app.serving.hooks import Hooks
from app.serving.metrics_server import MetricsServer
from tests.support.http_client import Client, exchange, get, is_refused
from tests.support.service import wait_until

if TYPE_CHECKING:
    from tests.support.log_lines import Lines


@pytest.fixture
def hooks(make_hooks: Callable[..., Hooks]) -> Hooks:
    """Make a server of the metrics, whose process has not been started."""
    return make_hooks()


def child_of(server: MetricsServer, release: Callable[[], None] = lambda: None) -> psutil.Process:
    """Start the process, and return it."""
    before = set(psutil.Process().children())
    server.ensure(release)
    (child,) = set(psutil.Process().children()) - before
    return child


def test_process(hooks: Hooks) -> None:
    """The process serves the metrics, problems included, on the port that the master holds, until it is stopped."""
    server, port = hooks.metrics_server, hooks.settings.metrics_port
    child = child_of(server)
    server.ensure(lambda: pytest.fail("started twice"))
    answer = get(port, "/metrics")
    assert (200, True) == (answer.status, b"process_resident_memory_bytes" in answer.body)
    rejected = exchange(port, b"GARBAGE\r\n\r\n")
    assert (400, "malformed HTTP: no valid request line") == (rejected.status, rejected.json()["detail"])
    server.stop()
    assert (False, True) == (child.is_running(), is_refused(port))


def test_a_process_that_has_died_is_replaced(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is replaced, a scrape waits and does not fail."""
    monkeypatch.setattr("app.serving.metrics_server.RESTART_SECONDS", 0.0)
    child = child_of(hooks.metrics_server)
    child.kill()
    child.wait(20)
    with Client(hooks.settings.metrics_port) as client:
        client.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        hooks.metrics_server.ensure(lambda: None)
        assert 200 == client.receive().status


def test_a_process_that_hangs_is_killed(hooks: Hooks) -> None:
    """A metrics process that does not move holds up no stop."""
    child = child_of(hooks.metrics_server)
    child.suspend()
    hooks.metrics_server.stop()
    assert not child.is_running()


def test_a_process_that_hangs_is_replaced(hooks: Hooks, monkeypatch: pytest.MonkeyPatch, log_lines: "Lines") -> None:
    """A metrics process without a heartbeat is killed and started again, as the workers are."""
    child = child_of(hooks.metrics_server)
    get(hooks.settings.metrics_port, "/metrics")
    child.suspend()
    monkeypatch.setattr("app.serving.metrics_server.HEARTBEAT_SECONDS", 0.0)
    monkeypatch.setattr("app.serving.metrics_server.RESTART_SECONDS", 0.0)
    hooks.metrics_server.ensure(lambda: pytest.fail("started beside the other one"))
    wait_until(lambda: child.status() == psutil.STATUS_ZOMBIE, "it is killed")
    assert ("critical", "the metrics process hangs") == (log_lines.only["level"], log_lines.only["event"])
    hooks.metrics_server.ensure(lambda: None)
    assert 200 == get(hooks.settings.metrics_port, "/metrics").status


def test_a_process_that_fails_to_start(hooks: Hooks, log_lines: "Lines", monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps the process from serving is in the log, and the master goes on, and tries again after a moment."""

    def fail() -> None:
        raise LookupError("a bug")

    child = child_of(hooks.metrics_server, fail)
    wait_until(lambda: child.status() == psutil.STATUS_ZOMBIE, "it has ended")
    assert ("error", "cannot serve the metrics") == (log_lines.only["level"], log_lines.only["event"])
    assert log_lines.only["traceback"].endswith("LookupError: a bug\n")
    monkeypatch.setattr("app.serving.metrics_server.RESTART_SECONDS", 600.0)
    for _ in range(10):  # As often as it ends, the master is told.
        hooks.metrics_server.ensure(fail)
    assert 1 == len(log_lines.json)
    monkeypatch.setattr("app.serving.metrics_server.RESTART_SECONDS", 0.0)
    hooks.metrics_server.ensure(fail)
    wait_until(lambda: len(log_lines.json) == 2, "it is started again")


def test_signals_to_all_processes_are_not_for_it(hooks: Hooks) -> None:
    """Ctrl-C, a terminal that closes, a supervisor's SIGTERM, `pkill -USR1`: the master ends the process."""
    child = child_of(hooks.metrics_server)
    get(hooks.settings.metrics_port, "/metrics")
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        child.send_signal(number)
    assert 200 == get(hooks.settings.metrics_port, "/metrics").status


def test_a_process_without_its_master(hooks: Hooks) -> None:
    """When the master is gone, the process removes the files of the metrics and ends."""
    reading, writing = os.pipe()
    master = os.fork()
    if master == 0:
        before = psutil.Process().children()
        hooks.metrics_server.ensure(lambda: None)
        (child,) = [each for each in psutil.Process().children() if each not in before]
        get(hooks.settings.metrics_port, "/metrics")
        os.write(writing, str(child.pid).encode())
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(master, 0)
    orphan = int(os.read(reading, 20))
    os.close(reading)
    os.close(writing)
    wait_until(lambda: not hooks.metric_files.directory.exists(), "the files are gone")
    wait_until(lambda: not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == "zombie", "it has ended")


@pytest.mark.parametrize(("error", "expected"), [(None, 0), (ValueError("a bug"), 1)])
def test_what_the_master_does_at_its_exit_is_not_for_the_process(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch, error: Exception | None, expected: int
) -> None:
    """The forked process lets go of what is the workers', serves, and ends at once; its status tells of a bug."""
    steps = []

    def serve(*_: object) -> None:
        steps.append("serve")
        if error:
            raise error

    def leave(status: int) -> None:
        raise SystemExit(status)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fork", lambda: 0)
        patch.setattr(os, "_exit", leave)
        patch.setattr(MetricsServer, "_serve", serve)
        with pytest.raises(SystemExit) as end:
            hooks.metrics_server.ensure(lambda: steps.append("release"))
    assert (expected, ["release", "serve"]) == (end.value.code, steps)


def test_no_room_for_a_process(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no process can be forked, the caller is told, no signal stays blocked, and the next try succeeds."""

    def fail() -> Any:
        raise OSError(12, "Cannot allocate memory")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fork", fail)
        with pytest.raises(OSError, match="allocate"):
            hooks.metrics_server.ensure(lambda: None)
    assert set() == signal.pthread_sigmask(signal.SIG_BLOCK, ())
    monkeypatch.setattr("app.serving.metrics_server.RESTART_SECONDS", 0.0)
    assert child_of(hooks.metrics_server).is_running()


def test_a_stop_before_the_start(hooks: Hooks) -> None:
    """A server whose process has never run can be stopped, and lets go of its port."""
    hooks.metrics_server.stop()
    assert is_refused(hooks.settings.metrics_port)


def test_a_stop_when_the_process_has_been_reaped(hooks: Hooks) -> None:
    """A process that the master has reaped together with its workers is not there any more, and gets no signal."""
    child = child_of(hooks.metrics_server)
    child.kill()
    os.waitpid(child.pid, 0)
    hooks.metrics_server.stop()
    assert is_refused(hooks.settings.metrics_port)
