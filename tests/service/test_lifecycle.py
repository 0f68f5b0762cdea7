"""The life of the service: start, signals, stop."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from app.pace import BURST, INTERVAL_SECONDS
from tests.support.http_client import Client, exchange, get, is_refused, post
from tests.support.paths import ROOT
from tests.support.scraping import LAUNCHER
from tests.support.service import LIMIT_SECONDS, Service, environment, running, wait_until, wait_until_workers

SUM = post(b'{"data": ["1", "2"]}')


def test_start_from_another_folder(output: Path, tmp_path: Path) -> None:
    """`python app/app.py` works from any working directory."""
    with running(output, folder=tmp_path) as service:
        assert exchange(service.port, SUM).body == b"3\n"
    assert sorted(tmp_path.iterdir()) == [output]


def test_the_health_check_follows_readiness(service: Service) -> None:
    """The probe of the container exits with 0 while the service is ready, and with 1 when nobody answers."""
    command = [sys.executable, str(ROOT / "app" / "healthcheck.py")]
    ready = subprocess.run(command, check=False, env=environment(PORT=service.port))
    assert ready.returncode == 0
    nobody = subprocess.run(command, check=False, env=environment(PORT=service.port, METRICS_PORT=1) | {"PORT": "1"})
    assert nobody.returncode == 1


@pytest.mark.parametrize("is_kept_alive", [False, True])
def test_sigterm_during_a_request_of_two_seconds(output: Path, *, is_kept_alive: bool) -> None:
    """A request that has begun before the stop completes, on a new connection and on one that has served before."""
    with running(output, WEB_CONCURRENCY=1) as service, Client(service.port) as client:
        if is_kept_alive:
            assert client.ask(SUM).body == b"3\n"
        client.send(SUM[:10])
        # The worker has read the start of this request when it has answered another that came later.
        assert exchange(service.port, SUM).body == b"3\n"
        service.signal(signal.SIGTERM)
        for byte in SUM[10:-1]:
            client.send(bytes([byte]))
            time.sleep(2 / len(SUM))  # The length of this request is what is tested.
        wait_until(lambda: is_refused(service.port), "new clients are refused")
        answer = client.ask(SUM[-1:])
        assert (200, b"3\n", "close") == (answer.status, answer.body, answer.headers["connection"])
        assert client.is_at_end()
        client.close()
        assert service.wait() == 0


def test_a_stop_ends_idle_connections(output: Path) -> None:
    """A client that keeps its connection and says nothing does not hold up the stop."""
    with running(output) as service, Client(service.port) as served, Client(service.port) as silent:
        assert served.ask(SUM).body == b"3\n"
        service.signal(signal.SIGTERM)
        assert served.is_at_end()
        assert silent.is_at_end()
        assert service.wait() == 0


@pytest.mark.measured
def test_503_during_a_stop(output: Path) -> None:
    """A client that goes on using its connection during a stop is sent elsewhere."""
    with running(output, WEB_CONCURRENCY=1) as service, Client(service.port) as client:
        assert client.ask(SUM).body == b"3\n"
        service.signal(signal.SIGTERM)
        wait_until(lambda: is_refused(service.port), "new clients are refused")
        answer = client.ask(SUM)
        assert (503, "application/problem+json", "close") == (
            answer.status,
            answer.headers["content-type"],
            answer.headers["connection"],
        )
        assert int(answer.headers["retry-after"]) >= 1
        assert client.is_at_end()
        client.close()
        assert service.wait() == 0


@pytest.mark.measured
def test_the_grace_has_an_end(output: Path) -> None:
    """A request that never ends does not keep the service alive beyond the grace, and nobody calls it a crash."""
    with running(output, WEB_CONCURRENCY=1, GRACEFUL_TIMEOUT=1) as service, Client(service.port) as client:
        client.send(SUM[:-1])
        assert exchange(service.port, SUM).body == b"3\n"
        assert service.stop() == 0
        assert [] == [line for line in service.lines() if line["level"] in {"error", "critical"}]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_a_quick_stop(output: Path, number: signal.Signals) -> None:
    """Ctrl-C stops the service although a client is in the middle of a request, and prints no traceback."""
    with running(output) as service, Client(service.port) as client:
        client.send(SUM[:-1])
        service.signal(number)
        assert service.wait() == 0
        assert [] == [line for line in service.lines() if line["level"] in {"error", "critical"}]
        assert is_refused(service.port)


def test_draining(output: Path) -> None:
    """During DRAIN_SECONDS /readyz is 503 and all else is served, on connections that end; then the service stops."""
    with running(output, DRAIN_SECONDS=2) as service, Client(service.port) as client:
        assert client.ask(SUM).headers["connection"] == "keep-alive"
        service.signal(signal.SIGTERM)
        wait_until(lambda: get(service.port, "/readyz").status == 503, "the service is not ready")
        answer = client.ask(SUM)
        assert (b"3\n", "close") == (answer.body, answer.headers["connection"])
        assert client.is_at_end()
        client.close()
        assert exchange(service.port, SUM).body == b"3\n"
        assert get(service.port, "/healthz").status == 200
        assert get(service.port, "/readyz").headers["retry-after"] == "1"
        assert service.wait() == 0


def test_a_second_sigterm_ends_the_draining(output: Path) -> None:
    """Who does not want to wait sends SIGTERM again."""
    with running(output, DRAIN_SECONDS=3600) as service:
        service.signal(signal.SIGTERM)
        wait_until(lambda: get(service.port, "/readyz").status == 503, "the service is not ready")
        assert exchange(service.port, SUM).body == b"3\n"
        assert service.stop() == 0


def ask_until(stop: threading.Event, port: int, answers: list[object]) -> None:
    """Ask for sums without a pause, on connections that are kept and on new ones, and collect what comes back."""
    try:
        while not stop.is_set():
            with Client(port) as client:
                is_open = True
                while is_open and not stop.is_set():
                    answer = client.ask(SUM)
                    answers.append((answer.status, answer.body))
                    is_open = answer.headers["connection"] == "keep-alive" and len(answers) % 7 > 0
    except (OSError, AssertionError) as error:
        answers.append(error)


def test_a_reload_under_load_loses_nothing(output: Path) -> None:
    """SIGHUP replaces all workers while clients ask without a pause, and each request gets its answer."""
    with running(output) as service:
        stop = threading.Event()
        answers: list[object] = []
        threads = [threading.Thread(target=ask_until, args=(stop, service.port, answers)) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(2):
                before = wait_until_workers(service, 2)
                service.signal(signal.SIGHUP)
                wait_until_workers(service, 2, other_than=before)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert {(200, b"3\n")} == set(answers)


def test_a_killed_worker_is_replaced(output: Path) -> None:
    """When all workers die at once, new ones take their place, and the log says what has happened."""
    with running(output) as service:
        before = wait_until_workers(service, 2)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_until_workers(service, 2, other_than=before)
        assert exchange(service.port, SUM).body == b"3\n"
        killed = [line for line in service.lines() if "SIGKILL" in line["event"]]
        assert ["error"] * 2 == [line["level"] for line in killed]


def boots(service: Service) -> int:
    """Count the workers that have been started."""
    return sum(line["event"].startswith("Booting worker") for line in service.lines())


def test_workers_that_fail_are_replaced_at_a_pace(output: Path, tmp_path: Path) -> None:
    """Where each worker fails as soon as it runs, the master does not spin; when the cause has gone, it serves."""
    failing = tmp_path / "failing"
    with running(output, program=LAUNCHER, TEST_FAILING=failing) as service:
        before = boots(service)
        failing.touch()
        begun = time.monotonic()
        for pid in service.workers():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: boots(service) >= before + BURST + 4, "more than a burst of workers has been started")
        assert time.monotonic() - begun >= 3 * INTERVAL_SECONDS
        failing.unlink()
        wait_until_workers(service, 2)
        service.wait_until_ready()
        assert exchange(service.port, SUM).body == b"3\n"


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
        assert exchange(service.port, SUM).body == b"3\n"


def test_sigusr2_starts_no_second_master(service: Service) -> None:
    """A second master would want the same metrics port: the signal is refused with a line."""
    service.signal(signal.SIGUSR2)
    wait_until(lambda: [line for line in service.lines() if "SIGUSR2" in line["event"]], "the refusal is logged")
    assert exchange(service.port, SUM).body == b"3\n"


BAD_SETTINGS = [
    ("PORT", "http"),
    ("PORT", "65536"),
    ("METRICS_PORT", "0"),
    ("METRICS_PORT", "5000"),
    ("WEB_CONCURRENCY", "many"),
    ("WEB_CONCURRENCY", "0"),
    ("THREADS", "-1"),
    ("LOG_LEVEL", "loud"),
    ("LOG_FORMAT", "xml"),
    ("MAX_BODY_BYTES", "1_000"),
    ("GRACEFUL_TIMEOUT", "8s"),
    ("DRAIN_SECONDS", "\u0663"),
    ("FORWARDED_ALLOW_IPS", "example.org"),
]


@pytest.mark.parametrize(("variable", "value"), BAD_SETTINGS)
def test_a_bad_setting_stops_the_start(variable: str, value: str, output: Path) -> None:
    """A bad value is told in one line, with the variable, the value and what is accepted; the exit status is 78."""
    service = Service(output, {"PORT": 5000, variable: value})
    try:
        assert service.wait() == 78
    finally:
        service.kill()
    (line,) = service.lines()
    assert ("critical", variable) == (line["level"], line["variable"])
    assert re.search(f"{variable} is '{re.escape(value)}', but must be .", line["event"])


@pytest.mark.parametrize("variable", sorted({variable for variable, _ in BAD_SETTINGS}))
def test_every_setting_has_a_bad_value_here(variable: str) -> None:
    """The table above misses no setting that can have a bad value."""
    assert variable in (ROOT / "app" / "settings.py").read_text()


def test_empty_settings_are_none(output: Path) -> None:
    """A variable that is set to nothing, as Compose does it for one that is missing, counts as not set."""
    empty = {variable: "" for variable, _ in BAD_SETTINGS if "PORT" not in variable}
    with running(output, **empty) as service:
        assert exchange(service.port, SUM).body == b"3\n"


@pytest.mark.parametrize("variable", ["PORT", "METRICS_PORT"])
def test_a_taken_port_is_told_in_one_line(variable: str, output: Path) -> None:
    """A port that somebody else listens on ends the start with status 69 and the name of the setting."""
    with closing(socket.create_server(("0.0.0.0", 0))) as holder:  # noqa: S104 - as the service binds
        port = holder.getsockname()[1]
        service = Service(output, {variable: port})
        try:
            assert service.wait() == 69
        finally:
            service.kill()
    (line,) = service.lines()
    assert ("critical", variable) == (line["level"], line["variable"])
    assert str(port) in line["event"]


@pytest.mark.measured
def test_threads(output: Path) -> None:
    """Several event loops in each worker serve like one, and stop like one."""
    with running(output, THREADS=8) as service:
        clients = [Client(service.port) for _ in range(64)]
        for client in clients:
            client.send(SUM)
        assert [b"3\n"] * 64 == [client.receive().body for client in clients]
        for client in clients:
            client.close()
        assert service.stop() == 0
        assert [] == [line for line in service.lines() if line["level"] in {"warning", "error", "critical"}]


def test_a_reader_of_the_log_that_goes_away_stops_nobody(output: Path) -> None:
    """When the pipe that takes the log is closed, requests are still answered."""
    reader, writer = os.pipe()
    try:
        with running(output, stdout=writer) as service:
            os.close(writer)
            os.close(reader)
            assert exchange(service.port, SUM).body == b"3\n"
            assert get(service.port, "/nowhere").status == 404
    finally:
        for descriptor in (reader, writer):
            with suppress(OSError):
                os.close(descriptor)
