"""gunicorn's server hooks: slots, counts and the account of a worker that has ended."""

import gc
import logging
import logging.config
import os
import signal
from asyncio import CancelledError
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from flask import Flask, Response
from flask import signals as flask_signals
from gunicorn.config import Config
from prometheus_client import REGISTRY, CollectorRegistry, Counter

from app import create_app
from app.observability import traces
from app.observability.scoreboard import IN_PROGRESS, STATE, WAITING, WorkerState, scoreboard
from app.observability.trace_settings import TraceSettings
from app.serving.gunicorn_logger import GunicornLogger
from app.serving.hooks import Hooks
from app.serving.worker_signals import STOPS
from app.settings import Settings
from tests.support.http_client import is_refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.log_lines import Lines

Make = Callable[..., Hooks]
Registered = list[dict[str, Callable[[], None]]]

CONFIGURATION = Config()
CONFIGURATION.set("workers", 2)
CONFIGURATION.set("threads", 3)
ARBITER = SimpleNamespace(cfg=CONFIGURATION)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Registered:
    """Collect what is to be called at a fork."""
    registered: Registered = []
    monkeypatch.setattr(os, "register_at_fork", lambda **when: registered.append(when))
    return registered


def exits(reason: str) -> float:
    """Read how many workers have ended for a reason."""
    return REGISTRY.get_sample_value("gunicorn_worker_exits_total", {"reason": reason}) or 0.0


def leave(hooks: Hooks, worker: object, end: BaseException | None = None) -> None:
    """End a worker as gunicorn does, which calls the hook on the way out."""
    end = end or SystemExit(0)
    with suppress(type(end)), ExitStack() as stack:
        stack.callback(hooks.worker_exit, None, worker)
        raise end


def test_on_starting(make_hooks: Make, log_lines: "Lines") -> None:
    """The start is told with what was chosen, the metrics are served, and each worker's files are there."""
    hooks = make_hooks(revision="abc")
    hooks.on_starting(ARBITER)
    line = log_lines.only
    assert ("starting", "abc", 3, 2) == (line["event"], line["revision"], line["threads"], line["workers"])
    assert (hooks.settings.port, ["127.0.0.1"]) == (line["port"], line["addresses"])
    assert not is_refused(hooks.settings.metrics_port)
    hooks.on_exit(None)
    assert (True, False) == (is_refused(hooks.settings.metrics_port), hooks.metric_files.directory.exists())


@pytest.mark.parametrize("name", ["gunicorn.error", "app.serving.http.acceptor", "app.serving.http.response"])
def test_an_application_that_configures_logging(
    make_hooks: Make, log_lines: "Lines", name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dictConfig(), which by default disables all loggers that exist, changes no line of the server's."""
    logger = logging.getLogger(name)
    for other in map(logging.getLogger, logging.root.manager.loggerDict):
        monkeypatch.setattr(other, "disabled", other.disabled)  # Enabled again after the test.
    for changed in (logger, logging.root):
        monkeypatch.setattr(changed, "level", changed.level)
    logging.config.dictConfig({"version": 1, "root": {"level": "WARNING", "handlers": []}})
    hooks = make_hooks()
    assert logger.disabled
    hooks.on_starting(ARBITER)
    logger.info("told")
    assert ("info", "told", name) == tuple(log_lines.json[-1][key] for key in ("level", "event", "logger"))
    hooks.on_exit(None)


def test_an_application_that_shares_the_handlers_of_gunicorn(
    make_hooks: Make, log_lines: "Lines", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual recipe for `app.logger` under gunicorn leads to no second line."""
    gunicorn, application = GunicornLogger(CONFIGURATION).error_log, logging.getLogger("app")
    monkeypatch.setattr(application, "handlers", gunicorn.handlers)
    hooks = make_hooks()
    hooks.on_starting(ARBITER)
    application.error("failed")
    assert ["starting", "failed"] == [line["event"] for line in log_lines.json]
    hooks.on_exit(None)


def test_options_without_effect(make_hooks: Make, log_lines: "Lines") -> None:
    """The start names the options of gunicorn that have none, and says those that have."""
    configuration = Config()
    for name, value in (("accesslog", "-"), ("reload", True), ("keepalive", 5), ("graceful_timeout", 20)):
        configuration.set(name, value)
    hooks = make_hooks(drain_seconds=3)
    hooks.on_starting(SimpleNamespace(cfg=configuration))
    starting, warning = log_lines.json
    assert (5, 17) == (starting["keep_alive_seconds"], starting["graceful_timeout_seconds"])
    assert ("warning", "options of gunicorn without effect: --access-logfile, --reload") == (
        warning["level"],
        warning["event"],
    )
    hooks.on_exit(None)


def test_a_worker_removes_nothing(make_hooks: Make) -> None:
    """A worker that an exception takes into its copy of the master leaves the metrics alone."""
    hooks = make_hooks()
    hooks.on_starting(ARBITER)
    pid = os.fork()
    if pid == 0:
        hooks.on_exit(None)
        os._exit(0)
    assert (pid, 0) == os.waitpid(pid, 0)
    assert (False, True) == (is_refused(hooks.settings.metrics_port), hooks.metric_files.directory.exists())
    hooks.on_exit(None)


def test_workers_that_the_master_has_killed(make_hooks: Make, log_lines: "Lines") -> None:
    """What is in progress at the end of the grace is lost, and logged: the master kills, and does not wait."""
    hooks = make_hooks()
    hooks.on_starting(ARBITER)
    killed, _idle = scoreboard.take(17), scoreboard.take(18)
    scoreboard.slot = killed
    scoreboard.count(IN_PROGRESS, 2)
    hooks.on_exit(None)
    assert "worker 17 exited with 2 requests in progress" == log_lines.json[-1]["event"]
    assert 1 == len([line for line in log_lines.json if line["level"] == "error"])


def test_a_process_that_a_view_forks(make_hooks: Make, registered: Registered) -> None:
    """It ends by SIGTERM as any process does, and its worker's counts stay as they are."""
    hooks = make_hooks()
    hooks.on_starting(ARBITER)
    worker = SimpleNamespace()
    hooks.pre_fork(None, worker)
    hooks.post_fork(None, worker)
    _unblock, at_fork = registered  # Here: what measures coverage registers more, in the child.
    at_fork["after_in_parent"]()
    counter = Counter("children", "Children.", registry=CollectorRegistry())
    counter.inc(10)
    reader, writer = os.pipe()
    at_fork["before"]()
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(1))
        at_fork["after_in_child"]()
        counter.inc()
        os.write(writer, b"x")
        while True:
            signal.pause()
    at_fork["after_in_parent"]()
    assert set() == signal.pthread_sigmask(signal.SIG_BLOCK, ())
    os.read(reader, 1)
    os.kill(pid, signal.SIGTERM)
    assert -signal.SIGTERM == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    registry = CollectorRegistry()
    registry.register(hooks.metric_files)
    assert 10 == registry.get_sample_value("children_total")
    for descriptor in (reader, writer):
        os.close(descriptor)


def test_no_signal_is_lost_between_fork_and_handlers(make_hooks: Make, registered: Registered) -> None:
    """Signals that stop a worker are blocked when it is forked, and not in the master behind it."""
    hooks = make_hooks()
    hooks.on_starting(ARBITER)
    worker = SimpleNamespace()
    hooks.pre_fork(None, worker)
    assert STOPS == signal.pthread_sigmask(signal.SIG_BLOCK, ())
    registered[0]["after_in_parent"]()
    assert set() == signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    hooks.post_worker_init(worker)
    assert set() == signal.pthread_sigmask(signal.SIG_BLOCK, ())
    scoreboard.release(worker.slot)
    hooks.on_exit(None)


def test_what_a_forked_process_leaves(make_hooks: Make) -> None:
    """The signals of its worker, the files of its slot, and the scoreboard."""
    hooks = make_hooks()
    cells = scoreboard._cells  # noqa: SLF001 - what all processes share
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    try:
        hooks._leave_child()  # noqa: SLF001 - what is registered for it
        assert [signal.SIG_DFL] * 5 == [signal.getsignal(number) for number in numbers]
        assert str(os.getpid()) == hooks.metric_files.owner
        assert scoreboard.is_detached
        scoreboard.request_stop()
        assert 0 == cells[-1]
    finally:
        scoreboard.is_detached = False
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def test_a_request_that_is_still_open(make_hooks: Make) -> None:
    """What a middleware has not closed ends behind the request on gunicorn's own workers."""
    ended: list[BaseException | None] = []
    hooks = make_hooks()
    hooks.post_request(None, None, {}, None)
    hooks.post_request(None, None, {"request.end": ended.append}, None)
    failure = LookupError()
    with suppress(LookupError), ExitStack() as stack:
        stack.callback(hooks.post_request, None, None, {"request.end": ended.append}, None)
        raise failure
    assert [None, failure] == ended


def test_what_was_printed_before_the_start(make_hooks: Make, configured_logs: Callable[..., "Lines"]) -> None:
    """What a module prints while it is imported, without the end of a line, is a line of its own."""
    lines = configured_logs()
    hooks = make_hooks()
    print("loading", end="")  # noqa: T201
    hooks.on_starting(ARBITER)
    hooks.on_exit(None)
    assert ["loading", "starting"] == [line["event"] for line in lines.json]


def test_what_the_processes_share_is_not_collected(make_hooks: Make) -> None:
    """What is there before the first fork is excluded from garbage collection."""
    hooks = make_hooks()
    hooks.on_starting(ARBITER)
    frozen = gc.get_freeze_count()
    gc.unfreeze()
    hooks.on_exit(None)
    assert 0 < frozen


def test_a_worker_takes_a_slot(make_hooks: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker takes a slot before it is forked, and then counts to the account of that slot."""
    hooks = make_hooks()
    worker = SimpleNamespace()
    counted: list[int] = []
    monkeypatch.setattr(hooks, "count_dropped_line", counted.append)
    hooks.pre_fork(None, worker)
    assert worker.slot in scoreboard.taken()
    hooks.post_fork(None, worker)
    assert (worker.slot, f"slot-{worker.slot}", hooks) == (scoreboard.slot, hooks.metric_files.owner, worker.hooks)
    assert [0] == counted  # Its files are open.
    assert is_refused(hooks.settings.metrics_port)


@pytest.mark.parametrize(
    ("state", "aborted", "reason"),
    [
        (WorkerState.LEFT, False, "stopped"),
        (WorkerState.SERVING, True, "timeout"),
        (WorkerState.LEFT, True, "stopped"),
        (WorkerState.LEAVING, False, "crashed"),
    ],
)
@pytest.mark.parametrize(("lost", "waiting"), [(0, 0), (2, 0), (0, 3)])
def test_the_end_of_a_worker(  # noqa: PLR0913, PLR0917 - the columns of the table
    make_hooks: Make, log_lines: "Lines", state: WorkerState, reason: str, lost: int, waiting: int, *, aborted: bool
) -> None:
    """A worker that has ended is counted by its reason, gives its slot back, and what it took along is logged."""
    hooks = make_hooks()
    worker = SimpleNamespace(pid=17, slot=scoreboard.take(17), aborted=aborted)
    scoreboard.slot = worker.slot
    scoreboard.count(IN_PROGRESS, lost)
    scoreboard.put(WAITING, waiting)
    scoreboard.set_state(worker.slot, state)
    before = exits(reason)
    hooks.child_exit(SimpleNamespace(log=GunicornLogger(SimpleNamespace())), worker)
    assert (before + 1, False) == (exits(reason), worker.slot in scoreboard.taken())
    expected = ["worker 17 exited with 2 requests in progress"] if lost else []
    expected += ["worker 17 exited with 0 requests in progress, and 3 waiting"] if waiting else []
    assert expected == [line["event"] for line in log_lines.json if line["level"] == "error"]


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (SystemExit(0), WorkerState.LEFT),
        (SystemExit(1), WorkerState.SERVING),
        (KeyboardInterrupt(), WorkerState.SERVING),
        (CancelledError(), WorkerState.SERVING),
    ],
)
def test_worker_exit(make_hooks: Make, end: BaseException, expected: WorkerState) -> None:
    """A worker that ends as it should says so; one that fails does not."""
    hooks = make_hooks()
    worker = SimpleNamespace(slot=scoreboard.take(os.getpid()))
    leave(hooks, worker, end)
    assert expected == scoreboard.read(worker.slot, STATE)


def test_a_worker_is_warm(make_hooks: Make, log_lines: "Lines", monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker has answered a request before its first client comes: not one to the application, whose hooks count."""
    app = create_app(Settings.from_environ({}))
    ran: list[str] = []
    app.before_request(lambda: ran.append("before"))
    app.teardown_request(lambda _: ran.append("teardown"))
    app.teardown_appcontext(lambda _: ran.append("context"))

    def receive(*_: object, **__: object) -> None:
        ran.append("signal")

    for sent in (flask_signals.appcontext_pushed, flask_signals.request_started, flask_signals.appcontext_popped):
        sent.connect(receive)  # For any application, until `receive` is gone.
    answered: list[Flask] = []
    dispatch = Flask.full_dispatch_request

    def recorded(flask: Flask) -> Response:
        answered.append(flask)
        return dispatch(flask)

    monkeypatch.setattr(Flask, "full_dispatch_request", recorded)
    make_hooks().post_worker_init(SimpleNamespace(wsgi=app))
    assert (1, False, [], []) == (len(answered), app in answered, ran, log_lines.json)


@pytest.mark.parametrize("grace", [8, 1])
def test_a_worker_makes_spans(make_hooks: Make, monkeypatch: pytest.MonkeyPatch, grace: int) -> None:
    """Where traces are asked for, a worker begins with them after its fork, and sends the last ones at its end."""
    began: list[tuple[TraceSettings, Path]] = []
    ended: list[float] = []
    monkeypatch.setattr(traces, "start", lambda *arguments: began.append(arguments))
    monkeypatch.setattr(traces, "stop", ended.append)
    settings = TraceSettings.from_environ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"})
    hooks = make_hooks(trace_settings=settings, graceful_timeout=grace)
    worker = SimpleNamespace()
    hooks.pre_fork(None, worker)
    hooks.post_fork(None, worker)
    leave(hooks, worker)
    assert ([(settings, hooks.metric_files.directory)], [min(1.0, grace / 4)]) == (began, ended)


def test_without_traces(make_hooks: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no traces are asked for, none begin, and a stop has the whole grace for requests."""
    monkeypatch.setattr(traces, "start", None)
    hooks = make_hooks()
    worker = SimpleNamespace()
    hooks.pre_fork(None, worker)
    hooks.post_fork(None, worker)
    leave(hooks, worker)
    assert hooks.flush_seconds == 0


def test_dropped_lines_are_counted(make_hooks: Make) -> None:
    """A log line that was dropped is counted."""
    before = REGISTRY.get_sample_value("log_lines_dropped_total") or 0.0
    make_hooks().count_dropped_line()
    assert before + 1 == REGISTRY.get_sample_value("log_lines_dropped_total")
