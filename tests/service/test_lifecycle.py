"""The life of the service: start, signals, stop."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

import psutil
import pytest

from tests.support import example
from tests.support.http_client import Answer, Client, exchange, get, is_refused
from tests.support.paths import ROOT
from tests.support.scraping import ANSWERED, scrape
from tests.support.service import GUNICORN, PROGRAM, Service, environment, running, wait_until, wait_until_workers

STOPPED = 'gunicorn_worker_exits_total{reason="stopped"}'


def test_start_from_another_folder(output: Path, tmp_path: Path) -> None:
    """`python app/app.py` works from any working directory."""
    with running(output, folder=tmp_path) as service:
        assert exchange(service.port, example.REQUEST).body == example.ANSWER
    assert sorted(tmp_path.iterdir()) == [output]


def test_the_health_check_follows_readiness(service: Service) -> None:
    """The probe of the container exits with 0 while the service is ready, and with 1 when there is no answer."""
    command = [sys.executable, str(ROOT / "app" / "healthcheck.py")]
    ready = subprocess.run(command, check=False, env=environment(PORT=service.port))
    assert ready.returncode == 0
    silent = subprocess.run(command, check=False, env=environment(PORT=service.port, METRICS_PORT=1) | {"PORT": "1"})
    assert silent.returncode == 1


@pytest.mark.parametrize("is_kept_alive", [False, True])
def test_sigterm_during_a_request_of_two_seconds(output: Path, *, is_kept_alive: bool) -> None:
    """A request that has begun before the stop completes, on a new connection and on one that has served before."""
    with running(output, WEB_CONCURRENCY=1) as service, Client(service.port) as client:
        if is_kept_alive:
            assert client.ask(example.REQUEST).body == example.ANSWER
        client.send(example.REQUEST[:10])
        # The worker has read the start of this request when it has answered another that came later.
        assert exchange(service.port, example.REQUEST).body == example.ANSWER
        service.signal(signal.SIGTERM)
        for byte in example.REQUEST[10:-1]:
            client.send(bytes([byte]))
            time.sleep(2 / len(example.REQUEST))  # The length of this request is what is tested.
        wait_until(lambda: is_refused(service.port), "new clients are refused")
        answer = client.ask(example.REQUEST[-1:])
        assert (200, example.ANSWER, "close") == (answer.status, answer.body, answer.headers["connection"])
        assert client.is_at_end()
        client.close()
        assert service.wait() == 0


def test_a_stop_ends_idle_connections(output: Path) -> None:
    """A client that keeps its connection and says nothing does not hold up the stop."""
    with running(output) as service, Client(service.port) as served, Client(service.port) as silent:
        assert served.ask(example.REQUEST).body == example.ANSWER
        service.signal(signal.SIGTERM)
        assert served.is_at_end()
        assert silent.is_at_end()
        assert service.wait() == 0


@pytest.mark.measured
def test_503_during_a_stop(output: Path) -> None:
    """A client that goes on using its connection during a stop is sent elsewhere."""
    with running(output, WEB_CONCURRENCY=1) as service, Client(service.port) as client:
        assert client.ask(example.REQUEST).body == example.ANSWER
        service.signal(signal.SIGTERM)
        wait_until(lambda: is_refused(service.port), "new clients are refused")
        answer = client.ask(example.REQUEST)
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
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_grace_has_an_end(output: Path, number: signal.Signals) -> None:
    """A request that never ends does not keep the service alive beyond the grace: it has a 503, and is no crash."""
    with running(output, WEB_CONCURRENCY=1, GRACEFUL_TIMEOUT=1) as service, Client(service.port) as client:
        client.send(example.request("X-Request-ID: begun")[:-1])
        assert exchange(service.port, example.REQUEST).body == example.ANSWER
        service.signal(number)
        answer = client.receive()
        assert (503, "begun", "1") == (answer.status, answer.headers["x-request-id"], answer.headers["retry-after"])
        assert client.is_at_end()
        (line,) = wait_until(lambda: service.requests(request_id="begun"), "the request is logged")
        assert (503, "the server is shutting down") == (line["status"], line["reason"])
        if number == signal.SIGHUP:
            rejected = 'http_requests_rejected_total{status="503"}'
            wait_until(lambda: scrape(service).samples[rejected] == 1, "the request is counted")
            wait_until(lambda: scrape(service).samples[STOPPED] == 1, "the worker has ended as it should")
            service.signal(signal.SIGTERM)
        assert service.wait() == 0
        others = [line for line in service.lines() if line["level"] in {"error", "critical"}]
        assert ["begun"] == [line.get("request_id") for line in others]


def test_the_grace_begins_with_the_signal(output: Path) -> None:
    """A view that runs when a stop begins takes its time from the grace, and not from that of another's upload."""
    with running(output, arguments=(), WEB_CONCURRENCY=1, GRACEFUL_TIMEOUT=3) as service:
        uploading, waiting = Client(service.port), Client(service.port)
        uploading.send(example.request("X-Request-ID: begun")[:-1])
        waiting.send(b"GET /sleep?seconds=2 HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: scrape(service).samples["http_requests_in_progress"] == 1, "the view runs")
        service.signal(signal.SIGTERM)
        assert [200, 503] == [client.receive().status for client in (waiting, uploading)]
        assert service.wait() == 0
        assert [503] == [line["status"] for line in service.requests(request_id="begun")]
        for client in (uploading, waiting):
            client.close()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_stream_that_the_end_of_the_grace_cuts(output: Path, threads: int) -> None:
    """A response that the service itself cuts short has its line, which does not blame the client."""
    with running(output, arguments=(), WEB_CONCURRENCY=1, THREADS=threads, GRACEFUL_TIMEOUT=1) as service:
        with Client(service.port) as client:
            client.send(b"GET /stream?pieces=100&bytes=1000000 HTTP/1.1\r\nHost: a\r\nX-Request-ID: cut\r\n\r\n")
            client.take(1)
            service.signal(signal.SIGTERM)
            assert service.wait() == 0
        (line,) = service.requests(request_id="cut")
        assert (200, "the server is shutting down") == (line["status"], line["reason"])
        assert [] == [line for line in service.lines() if line["level"] in {"error", "critical"}]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_a_quick_stop(output: Path, number: signal.Signals) -> None:
    """Ctrl-C stops the service although a client is in the middle of a request, and prints no traceback."""
    with running(output) as service, Client(service.port) as client:
        client.send(example.REQUEST[:-1])
        service.signal(number)
        assert service.wait() == 0
        assert [] == [line for line in service.lines() if line["level"] in {"error", "critical"}]
        assert is_refused(service.port)


def asked_again(client: Client) -> Answer:
    """Send the example once more, and check its answer."""
    answer = client.ask(example.REQUEST)
    assert example.ANSWER == answer.body
    return answer


def test_draining(output: Path) -> None:
    """During DRAIN_SECONDS /readyz is 503 and all else is served, on connections that end; then the service stops."""
    with running(output, DRAIN_SECONDS=2) as service, Client(service.port) as client:
        assert client.ask(example.REQUEST).headers["connection"] == "keep-alive"
        service.signal(signal.SIGTERM)
        wait_until(lambda: get(service.port, "/readyz").status == 503, "the service is not ready")
        # A worker learns that this is no reload when all of them have had the signal.
        wait_until(lambda: asked_again(client).headers["connection"] == "close", "the connection ends")
        assert client.is_at_end()
        client.close()
        assert exchange(service.port, example.REQUEST).body == example.ANSWER
        assert get(service.port, "/healthz").status == 200
        assert get(service.port, "/readyz").headers["retry-after"] == "1"
        assert service.wait() == 0


def test_a_second_sigterm_ends_the_draining(output: Path) -> None:
    """Who does not want to wait sends SIGTERM again."""
    with running(output, DRAIN_SECONDS=3600) as service:
        service.signal(signal.SIGTERM)
        wait_until(lambda: get(service.port, "/readyz").status == 503, "the service is not ready")
        assert exchange(service.port, example.REQUEST).body == example.ANSWER
        assert service.stop() == 0


@pytest.mark.parametrize("program", [PROGRAM, GUNICORN], ids=["python app/app.py", "gunicorn"])
def test_a_supervisor_that_stops_all_processes(output: Path, program: tuple[str | Path, ...]) -> None:
    """SIGTERM to the whole group, which systemd sends by default, drains as one to the master does."""
    with running(output, program=program, DRAIN_SECONDS=2) as service:
        for process in reversed(service.tree()):
            process.send_signal(signal.SIGTERM)
        wait_until(lambda: get(service.port, "/readyz").status == 503, "the service is not ready")
        wait_until(lambda: get(service.port, "/healthz").headers["connection"] == "close", "the service drains")
        counted = scrape(service).samples.get(ANSWERED, 0)
        assert example.ANSWER == exchange(service.port, example.REQUEST).body
        assert counted + 1 == scrape(service).samples[ANSWERED]
        assert 0 == service.wait()


@pytest.mark.parametrize("kind", [None, "gthread", "sync"])
def test_a_worker_that_is_stopped_at_its_start(output: Path, tmp_path: Path, kind: str | None) -> None:
    """SIGTERM that a worker gets before it has handlers, as after a quick stop of gunicorn, ends it all the same."""
    configuration = tmp_path / "gunicorn.conf.py"
    configuration.write_text(
        (ROOT / "gunicorn.conf.py").read_text()
        + "import signal\n"
        + "def post_fork(arbiter, worker):\n"
        + "    _hooks.post_fork(arbiter, worker)\n"
        + "    if worker.age == 1:\n"
        + "        signal.raise_signal(signal.SIGTERM)\n"
    )
    program = (*GUNICORN, "--config", configuration, *(("-k", kind) if kind else ()))
    with running(output, program=program, WEB_CONCURRENCY=1) as service:
        wait_until(lambda: scrape(service).samples[STOPPED] == 1, "the first worker has ended")
        assert example.ANSWER == exchange(service.port, example.REQUEST).body


def test_a_worker_that_gunicorn_reloads(output: Path, tmp_path: Path) -> None:
    """`gunicorn --reload` replaces a worker at a change, as with gunicorn's own, and a stop works afterwards."""
    watched = tmp_path / "watched"
    watched.touch()
    program = (*GUNICORN, "--reload", "--reload-engine", "poll", "--reload-extra-file", watched)
    with running(output, program=program, WEB_CONCURRENCY=1) as service:
        assert example.ANSWER == exchange(service.port, example.REQUEST).body
        times = count(int(time.time()) + 1)
        seen = f"Worker reloading: {watched} modified"

        def is_change_seen() -> bool:
            # Again and again: gunicorn compares it with what it was at its first look.
            os.utime(watched, (0, next(times)))
            return seen in [line["event"] for line in service.lines()]

        wait_until(is_change_seen, "the change is seen")
        wait_until(lambda: scrape(service).samples[STOPPED] == 1, "the worker has ended")
        assert example.ANSWER == exchange(service.port, example.REQUEST).body
        assert 0 == service.stop()


def test_a_stop_drains_although_a_worker_hangs(output: Path) -> None:
    """A worker that is suspended takes a stop for nothing else than what it is from the others, which drain."""
    with running(output, DRAIN_SECONDS=3600, GRACEFUL_TIMEOUT=1) as service:
        hanging, _ = wait_until_workers(service, 2)
        os.kill(hanging, signal.SIGSTOP)
        service.signal(signal.SIGTERM)
        wait_until(lambda: get(service.port, "/healthz").headers["connection"] == "close", "the other worker drains")
        assert 503 == get(service.port, "/readyz").status
        os.kill(hanging, signal.SIGCONT)
        assert service.stop() == 0


def blocks_sigterm(service: Service) -> bool:
    """Tell whether a process lets SIGTERM wait."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    blocked = int(re.findall(r"^SigBlk:\t(\w+)$", status, re.MULTILINE)[0], 16)
    return bool(blocked & 1 << (signal.SIGTERM - 1))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_during_the_start(output: Path, number: signal.Signals) -> None:
    """A service that is told to stop before it serves stops in good order: as one that has served."""
    service = Service(output, {"WEB_CONCURRENCY": 2})
    try:
        wait_until(lambda: blocks_sigterm(service), "Python has started")
        service.signal(number)
        assert 0 == service.wait()
    finally:
        service.kill()
    assert {"info"} == {line["level"] for line in service.lines()}
    assert (True, True) == (is_refused(service.port), is_refused(service.metrics_port))


def test_a_stop_while_the_application_waits(output: Path, tmp_path: Path) -> None:
    """A create_app() that waits for a database which never comes does not keep the service from stopping."""
    (tmp_path / "waiting.py").write_text(
        "import time\n"
        "def create_app():\n"
        "    print('waiting')\n"
        "    while True:\n"
        "        try:\n"
        "            time.sleep(0.1)\n"
        "        except Exception:\n"
        "            pass\n"
    )
    arguments = ["--application", "waiting:create_app()"]
    service = Service(output, {"PYTHONPATH": str(tmp_path)}, arguments=arguments)
    try:
        wait_until(lambda: "waiting" in [line["event"] for line in service.lines()], "the application waits")
        service.signal(signal.SIGTERM)
        assert 0 == service.wait()
    finally:
        service.kill()
    assert [] == [line for line in service.lines() if line["level"] in {"error", "critical"}]


def ask_until(stop: threading.Event, port: int, answers: list[object]) -> None:
    """Ask for sums without a pause, on connections that are kept and on new ones, and collect what comes back."""
    try:
        while not stop.is_set():
            with Client(port) as client:
                is_open = True
                while is_open and not stop.is_set():
                    answer = client.ask(example.REQUEST)
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
        assert {(200, example.ANSWER)} == set(answers)


@pytest.mark.measured
def test_threads(output: Path) -> None:
    """A pool of threads in each worker serves like one thread, and stops like one."""
    with running(output, THREADS=8) as service:
        clients = [Client(service.port) for _ in range(64)]
        for client in clients:
            client.send(example.REQUEST)
        assert [example.ANSWER] * 64 == [client.receive().body for client in clients]
        for client in clients:
            client.close()
        assert service.stop() == 0
        assert [] == [line for line in service.lines() if line["level"] in {"warning", "error", "critical"}]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_processes_of_a_view_end_with_their_worker(output: Path, threads: int) -> None:
    """What Python does at the end of a process it does in a worker: a pool of processes would keep the port."""
    with running(output, arguments=(), WEB_CONCURRENCY=1, THREADS=threads) as service:
        (process,) = get(service.port, "/processes").json()
        assert psutil.pid_exists(process)
        assert service.stop() == 0
        assert not psutil.pid_exists(process)
        assert 1 == len([line for line in service.lines() if line["event"] == "the worker ends"])


def test_what_a_log_handler_holds_is_written_at_the_end(output: Path, tmp_path: Path) -> None:
    """A handler that buffers, as Python's MemoryHandler does, writes when its worker ends."""
    file = tmp_path / "log"
    with running(output, arguments=(), WEB_CONCURRENCY=1) as service:
        assert 200 == get(service.port, f"/buffered?file={file}").status
        assert "" == file.read_text()
        assert service.stop() == 0
    assert "kept\n" == file.read_text()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_thread_of_a_view_is_waited_for(output: Path, tmp_path: Path, threads: int) -> None:
    """As under gunicorn's own workers, a thread that a view has started can end what it does when the service stops."""
    gate = tmp_path / "gate"
    with running(output, arguments=(), WEB_CONCURRENCY=1, THREADS=threads) as service:
        assert 200 == get(service.port, f"/background?gate={gate}").status
        service.signal(signal.SIGTERM)
        wait_until(
            lambda: [line for line in service.lines() if "exiting" in line["event"].lower()], "the worker leaves"
        )
        gate.touch()
        assert service.wait() == 0
        assert 1 == len([line for line in service.lines() if line["event"] == "the thread ends"])


def test_a_view_that_outlives_the_grace(output: Path, tmp_path: Path) -> None:
    """A thread that still runs a view keeps its worker from ending no longer than the grace."""
    arguments = {"WEB_CONCURRENCY": 1, "THREADS": 2, "GRACEFUL_TIMEOUT": 1}
    with running(output, arguments=(), **arguments) as service, Client(service.port) as client:
        client.send(b"GET /wait?gate=%s HTTP/1.1\r\nHost: a\r\n\r\n" % bytes(tmp_path / "never"))
        wait_until(lambda: scrape(service).samples["http_requests_in_progress"] == 1, "the view runs")
        service.signal(signal.SIGHUP)
        wait_until(lambda: scrape(service).samples[STOPPED] == 1, "the worker has ended by itself")
        assert service.stop() == 0


def test_a_reader_of_the_log_that_goes_away_stops_no_process(output: Path) -> None:
    """When the pipe that takes the log is closed, requests are still answered."""
    reader, writer = os.pipe()
    try:
        with running(output, stdout=writer) as service:
            os.close(writer)
            os.close(reader)
            assert exchange(service.port, example.REQUEST).body == example.ANSWER
            assert get(service.port, "/nowhere").status == 404
    finally:
        for descriptor in (reader, writer):
            with suppress(OSError):
                os.close(descriptor)
