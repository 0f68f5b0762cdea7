"""The worker: when it stops, and how. tests/service has it run."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import Context, copy_context
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from gunicorn.config import Config
from structlog.contextvars import bind_contextvars, get_contextvars
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from app import create_app
from app.observability.scoreboard import IN_PROGRESS, STATE, WorkerState, scoreboard
from app.serving.gunicorn_logger import GunicornLogger
from app.serving.hooks import Hooks
from app.serving.http.connection import CONTINUE
from app.serving.worker import Worker
from app.serving.worker_signals import STOPS
from tests.support.http_client import Client, exchange, get, is_refused, post
from tests.support.service import LIMIT_SECONDS, wait_until

if TYPE_CHECKING:
    from tests.support.log_lines import Lines

OTHER_CODING = "a transfer coding other than chunked"


class Listener:
    """A socket as gunicorn has it."""

    def __init__(self) -> None:
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]


@pytest.mark.parametrize(("option", "value"), [("certfile", "c.pem"), ("keyfile", "k.pem")])
def test_tls_is_refused(option: str, value: str) -> None:
    """An option for TLS ends the start: the worker would speak plain HTTP."""
    config = Config()
    Worker.check_config(config, None)
    config.set(option, value)
    with pytest.raises(RuntimeError, match="TLS"):
        Worker.check_config(config, None)


@pytest.fixture
def make_worker(log_lines: "Lines", make_hooks: Callable[..., Hooks]) -> Iterator[Callable[..., Worker]]:  # noqa: ARG001
    """Make a worker that has not been started, in the first free slot."""
    made: list[Worker] = []
    handlers = {number: signal.getsignal(number) for number in Worker.SIGNALS}

    def make(
        *, ppid: int | None = None, max_requests: int = 0, threads: int = 1, keep_alive: int = 75, **settings: Any
    ) -> Worker:
        config = Config()
        config.set("max_requests", max_requests)
        config.set("threads", threads)
        config.set("keepalive", keep_alive)
        listener = Listener()
        worker = Worker(1, os.getppid() if ppid is None else ppid, [listener], None, 30, config, GunicornLogger(config))
        worker.hooks = make_hooks(**settings)
        config.set("graceful_timeout", worker.hooks.settings.drain_seconds + worker.hooks.settings.graceful_timeout)
        worker.slot = scoreboard.slot = scoreboard.take(os.getpid())
        worker.wsgi = create_app(worker.hooks.settings)
        worker.port = listener.port
        made.append(worker)
        return worker

    yield make
    for number, handler in handlers.items():
        signal.signal(number, handler)
    for worker in made:
        worker.tmp.close()
        worker.sockets[0].sock.close()


def terminate() -> None:
    """Send SIGTERM to the thread of the worker: another thread may not have blocked it."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def run_while(worker: Worker, steps: Callable[[], None]) -> None:
    """Run a worker in this thread, as it must be, and a client's steps in another one; then SIGTERM."""
    failures: list[BaseException] = []
    ended = threading.Event()

    def client() -> None:
        try:
            steps()
        except BaseException as error:  # noqa: BLE001 - raised below
            failures.append(error)
        finally:
            terminate()
            if not ended.wait(LIMIT_SECONDS):
                failures.append(TimeoutError("the worker did not end"))
                worker._is_aborted = True  # noqa: SLF001 - ends it, so that this test fails and the next ones run

    thread = threading.Thread(target=client)
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    signal.signal(signal.SIGTERM, worker.handle_exit)
    thread.start()
    worker.run()
    ended.set()
    thread.join()
    assert [] == failures


@pytest.mark.parametrize("threads", [1, 2])
def test_requests_and_rejections(make_worker: Callable[..., Worker], log_lines: "Lines", threads: int) -> None:
    """The application answers, and what the server rejects has the form, the line and the id of every error."""
    worker = make_worker(threads=threads)

    def steps() -> None:
        assert 200 == get(worker.port, "/healthz").status
        fields = b"Host: a\r\nX-Request-ID: my-id\r\nTransfer-Encoding: gzip, chunked"
        rejected = exchange(worker.port, b"POST / HTTP/1.1\r\n" + fields + b"\r\n\r\n")
        body = rejected.json()
        assert (501, "my-id", OTHER_CODING) == (rejected.status, body["request_id"], body["detail"])
        assert "nosniff" == rejected.headers["x-content-type-options"]

    run_while(worker, steps)
    requests = [line for line in log_lines.json if line["event"] == "request"]
    assert [(200, "/healthz"), (501, None)] == [(line["status"], line["route"]) for line in requests]
    assert (OTHER_CODING, "my-id") == (requests[1]["reason"], requests[1]["request_id"])
    assert (1, WorkerState.LEAVING) == (worker.nr, scoreboard.read(worker.slot, STATE))


def test_an_application_that_is_a_dispatcher(make_worker: Callable[..., Worker], log_lines: "Lines") -> None:
    """What the factory returns need be no Flask, but any WSGI application around one."""
    worker = make_worker()
    worker.wsgi = DispatcherMiddleware(worker.wsgi, {"/again": worker.wsgi})

    def steps() -> None:
        assert (200, 200) == tuple(get(worker.port, path).status for path in ("/healthz", "/again/healthz"))
        assert 400 == exchange(worker.port, b"GET / HTTP/1.1\r\n\r\n").status

    run_while(worker, steps)
    statuses = [line["status"] for line in log_lines.json if line["event"] == "request"]
    assert [200, 200, 400] == statuses


def test_a_failure_around_the_measured_application(make_worker: Callable[..., Worker], log_lines: "Lines") -> None:
    """What wraps the application may fail behind it: the error is logged, and the request has one line."""
    worker = make_worker()
    measured = worker.wsgi.wsgi_app

    def wrap(environ: dict[str, Any], start_response: Callable[..., Any]) -> None:
        measured(environ, start_response)
        raise LookupError("a secret")

    worker.wsgi.wsgi_app = wrap
    run_while(worker, lambda: get(worker.port, "/healthz"))
    line, bug = [line for line in log_lines.json if "request_id" in line]
    assert ("unhandled exception", True) == (bug["event"], "a secret" in bug["traceback"])
    expected = (bug["request_id"], 500, "LookupError", "a middleware around the application failed")
    assert expected == (line["request_id"], line["status"], line["error"], line["reason"])
    assert 0 == scoreboard.read(worker.slot, IN_PROGRESS)


def test_a_worker_that_is_killed_takes_no_more_clients(make_worker: Callable[..., Worker]) -> None:
    """The event loop may finish its turn before SystemExit ends it: those who wait in the kernel's queue wait on."""
    worker = make_worker()
    has_fewest = worker._service().has_fewest_connections  # noqa: SLF001
    assert has_fewest()
    with pytest.raises(SystemExit):
        worker.handle_abort(signal.SIGABRT, None)
    assert not has_fewest()


@pytest.mark.parametrize("keep_alive", [75, 5])
def test_keep_alive_of_the_command_line(make_worker: Callable[..., Worker], keep_alive: int) -> None:
    """The option of gunicorn takes the place of the setting."""
    assert keep_alive == make_worker(keep_alive=keep_alive)._limits().keep_alive  # noqa: SLF001 - without a client


def test_options_without_effect_are_named(log_lines: "Lines") -> None:
    """A limit that this worker does not take from gunicorn is not ignored in silence."""
    config = Config()
    config.set("limit_request_line", 200)
    config.set("worker_connections", 3)
    Worker.check_config(config, GunicornLogger(config))
    expected = "options of gunicorn without effect with this worker: --worker-connections, --limit-request-line"
    assert ("warning", expected) == (log_lines.json[-1]["level"], log_lines.json[-1]["event"])


def test_the_grace_begins_with_the_signal(make_worker: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch) -> None:
    """A view that holds up the event loop takes its time from the grace, at whose end the master kills."""
    told: list[tuple[float, float]] = []
    worker = make_worker(drain_seconds=5, graceful_timeout=8)
    monkeypatch.setattr(worker, "_server", SimpleNamespace(drain=lambda *times: told.append(times)), raising=False)
    before = time.monotonic()
    worker._begin_to_leave()  # noqa: SLF001 - what the handler of SIGTERM does, without its event loop
    after = time.monotonic()
    worker._leave()  # noqa: SLF001
    ((stop_at, give_up_at),) = told
    assert (True, 7.5) == (before + 5 <= stop_at <= after + 5, give_up_at - stop_at)


@pytest.mark.parametrize("handler", ["handle_exit", "handle_quit"])
def test_a_signal_takes_nothing_from_the_request_that_it_interrupts(
    make_worker: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch, handler: str
) -> None:
    """What a view has bound to the lines of its request does not get on those that a stop writes."""
    worker = make_worker()
    contexts: list[Context] = []
    monkeypatch.setattr(worker, "_server", SimpleNamespace(is_running_application=False, abort=None), raising=False)
    loop = SimpleNamespace(call_soon_threadsafe=lambda *_, context: contexts.append(context), call_later=None)
    monkeypatch.setattr(worker, "_loop", loop, raising=False)

    def interrupt() -> None:
        bind_contextvars(customer="alice")
        getattr(worker, handler)(signal.SIGTERM, None)

    copy_context().run(interrupt)
    assert [{}] == [context.run(get_contextvars) for context in contexts]


@pytest.mark.parametrize("has_successor", [False, True])
def test_a_worker_retires_after_its_last_request(
    make_worker: Callable[..., Worker],
    monkeypatch: pytest.MonkeyPatch,
    log_lines: "Lines",
    *,
    has_successor: bool,
) -> None:
    """After `max_requests` a worker says so once, and serves on until the master or its patience ends."""
    monkeypatch.setattr("app.serving.worker.SUCCESSOR_SECONDS", 0.05)
    worker = make_worker(max_requests=2)

    def steps() -> None:
        with Client(worker.port) as client:
            for _ in range(3):
                assert 200 == client.ask(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").status
            assert WorkerState.RETIRING == scoreboard.read(worker.slot, STATE)
            if has_successor:
                scoreboard.take(os.getpid())
                terminate()
            wait_until(lambda: is_refused(worker.port), "the worker leaves")
            assert 200 == client.ask(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").status

    run_while(worker, steps)
    events = [line["event"] for line in log_lines.json]
    assert (False, 1) == (worker.alive, events.count(f"worker {worker.pid} exiting after 2 requests"))


def test_a_worker_that_retires_serves_until_it_has_a_successor(
    make_worker: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the master starts successors and has no room for one yet, the last worker does not go."""
    monkeypatch.setattr("app.serving.worker.SUCCESSOR_SECONDS", 0.01)
    worker = make_worker(max_requests=1)
    worker.hooks.has_own_master = True
    asked = []
    monkeypatch.setattr(worker, "_retire", lambda: asked.append(None) or Worker._retire(worker))  # type: ignore[func-returns-value]  # noqa: SLF001

    def steps() -> None:
        get(worker.port, "/healthz")
        wait_until(lambda: len(asked) > 5, "it has looked for a successor several times")
        assert 200 == get(worker.port, "/readyz").status
        scoreboard.take(os.getpid())
        wait_until(lambda: is_refused(worker.port), "the worker leaves")

    run_while(worker, steps)


def test_a_stop_is_one_although_another_worker_hangs(make_worker: Callable[..., Worker]) -> None:
    """Where the master has announced a stop, workers drain, although one of them does not say that it leaves."""
    worker = make_worker(drain_seconds=3600)
    scoreboard.take(os.getpid())

    def steps() -> None:
        assert 200 == get(worker.port, "/readyz").status
        scoreboard.request_stop()
        terminate()
        wait_until(lambda: get(worker.port, "/healthz").headers["connection"] == "close", "the worker drains")
        for _ in range(5):  # A supervisor signals all processes, and the master passes its own signal on.
            terminate()
            assert 503 == get(worker.port, "/readyz").status
        scoreboard.request_stop()

    run_while(worker, steps)


def test_a_second_sigterm_that_came_with_the_first(make_worker: Callable[..., Worker]) -> None:
    """The kernel delivers two pending signals as one: the worker hears of the second one by the scoreboard."""
    worker = make_worker(drain_seconds=3600)

    def steps() -> None:
        get(worker.port, "/healthz")
        for _ in range(2):
            scoreboard.request_stop()

    run_while(worker, steps)


@pytest.mark.parametrize("is_orphan", [False, True])
def test_a_worker_stops_without_its_master(
    make_worker: Callable[..., Worker], log_lines: "Lines", *, is_orphan: bool
) -> None:
    """A worker whose master has died, which nothing could stop any more, stops."""
    worker = make_worker(ppid=-1 if is_orphan else os.getppid())
    if is_orphan:
        worker.run()
        assert "exiting: lost its master" in log_lines.only["event"]
    else:
        run_while(worker, lambda: None)
        assert [] == log_lines.json


def test_a_second_sigterm_ends_the_draining(make_worker: Callable[..., Worker]) -> None:
    """Where all workers leave they drain, which a second SIGTERM ends that the master has announced."""
    worker = make_worker(drain_seconds=3600)

    def steps() -> None:
        get(worker.port, "/healthz")
        terminate()
        wait_until(lambda: not worker.alive, "the worker leaves")
        assert 503 == get(worker.port, "/readyz").status
        for _ in range(2):
            scoreboard.request_stop()

    run_while(worker, steps)


@pytest.mark.parametrize(("drain", "left", "expected"), [(0, 100.0, 100.0), (5, 100.0, 101.0), (5, 90.0, 95.0)])
def test_a_second_sigterm_gives_no_more_time(
    make_worker: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch, drain: int, left: float, expected: float
) -> None:
    """The grace begins when the draining ends, and not later: the master kills a worker that takes longer."""
    worker = make_worker(drain_seconds=drain, graceful_timeout=8)
    monkeypatch.setattr("app.serving.worker.monotonic", lambda: 101.0)
    worker._left_at = left  # noqa: SLF001 - the time of its first SIGTERM
    assert expected + 7.5 == worker._give_up_at  # noqa: SLF001


def test_a_worker_that_is_replaced_does_not_drain(make_worker: Callable[..., Worker]) -> None:
    """Where other workers stay, one that leaves stops at once."""
    worker = make_worker(drain_seconds=3600)
    other = scoreboard.take(os.getpid())

    def steps() -> None:
        assert 200 == get(worker.port, "/healthz").status
        os.kill(os.getpid(), signal.SIGTERM)  # The master repeats it, while the worker leaves.

    run_while(worker, steps)
    assert WorkerState.SERVING == scoreboard.read(other, STATE)


def test_a_second_sigterm_means_nothing_where_others_stay(make_worker: Callable[..., Worker]) -> None:
    """A worker that is replaced, and is told twice, still ends what has begun."""
    worker = make_worker()
    scoreboard.take(os.getpid())

    def steps() -> None:
        with Client(worker.port) as client:
            client.send(post(b"abc", "Expect: 100-continue", target="/nothing")[:-1])
            client.take(len(CONTINUE))
            for _ in range(2):
                terminate()
            wait_until(lambda: is_refused(worker.port), "the worker leaves")
            assert 404 == client.ask(b"c").status

    run_while(worker, steps)


@pytest.mark.parametrize(("name", "code"), [("handle_quit", 0), ("handle_abort", 1)])
def test_a_quick_end_of_a_view(
    make_worker: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    """SIGQUIT and SIGABRT end a view by SystemExit, of which the worker knows that it is not the view's own."""
    worker = make_worker()
    monkeypatch.setattr(worker, "_server", SimpleNamespace(is_running_application=True), raising=False)
    with pytest.raises(SystemExit) as end:
        getattr(worker, name)(signal.SIGQUIT, None)
    assert (code, True) == (end.value.code, worker._service().is_aborted())  # noqa: SLF001 - what the server asks


def test_a_view_that_catches_its_quick_end(make_worker: Callable[..., Worker]) -> None:
    """A worker that was told to end at once ends, although a view has caught the SystemExit."""
    worker = make_worker()
    signal.signal(signal.SIGQUIT, worker.handle_quit)

    def catch() -> str:
        try:
            os.kill(os.getpid(), signal.SIGQUIT)
            signal.pause()
        except BaseException:  # noqa: BLE001 - as a careless view does
            return "caught"
        return "missed"

    worker.wsgi.add_url_rule("/catch", view_func=catch)

    def steps() -> None:
        with Client(worker.port) as kept:
            assert b"caught" == get(worker.port, "/catch").body
            assert kept.is_at_end()

    run_while(worker, steps)


def test_a_quick_end_between_requests(make_worker: Callable[..., Worker]) -> None:
    """SIGQUIT closes all connections without another word where no view runs."""
    worker = make_worker()
    signal.signal(signal.SIGQUIT, worker.handle_quit)

    def steps() -> None:
        with Client(worker.port) as client:
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
            assert 200 == get(worker.port, "/healthz").status
            wait_until(lambda: not worker._server.is_running_application, "no view runs")  # noqa: SLF001 - as its handler sees it
            os.kill(os.getpid(), signal.SIGQUIT)
            assert client.is_at_end()

    run_while(worker, steps)


def test_a_worker_has_a_heartbeat_before_its_first_turn(make_worker: Callable[..., Worker]) -> None:
    """One that hangs from the start is noticed: on the clock of the master, a new file would be of the future."""
    assert make_worker().tmp.last_update() <= time.monotonic()


def test_signals(make_worker: Callable[..., Worker]) -> None:
    """The signals that stop a worker wait until it serves, and a terminal that closes is none of its business."""
    worker = make_worker()
    worker.PIPE = os.pipe()
    os.set_blocking(worker.PIPE[1], False)
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    worker.init_signals()
    signal.set_wakeup_fd(-1)
    worker.hooks.post_worker_init(worker)
    assert STOPS == signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    assert signal.SIG_IGN is signal.getsignal(signal.SIGHUP)
    for descriptor in worker.PIPE:
        os.close(descriptor)
