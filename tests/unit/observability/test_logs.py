"""Logs: whatever a process prints, logs, warns of or dies of is one line of JSON in one form."""

import io
import json
import logging
import os
import pty
import subprocess
import sys
import threading
import traceback
import warnings
from contextvars import copy_context
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from flask import Flask, copy_current_request_context
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug.local import LocalProxy

from app.observability import logs, middleware
from app.observability.captured_output import end_lines
from app.observability.correlation import Trace
from app.observability.log_output import LogOutput
from app.observability.logs import configure_logs
from app.observability.request_record import RequestRecord, set_current_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.settings import Settings
    from tests.support.log_lines import Lines

LEVELS = ["debug", "info", "warning", "error", "critical"]


def fail() -> None:
    """Raise an error with a cause."""
    try:
        {}["inner"]  # type: ignore[index]
    except KeyError as error:
        raise ValueError("outer") from error


def test_form_of_a_line(log_lines: "Lines") -> None:
    """A line begins with time, level and event; the event's own members follow as they were given."""
    structlog.get_logger().info("started", port=5000, name="a", none=None)
    line = log_lines.only
    assert ["timestamp", "level", "event", "port", "name", "none", "pid"] == list(line)
    assert ("info", "started", 5000, "a", None, os.getpid()) == tuple(line.values())[1:]


def test_timestamp(log_lines: "Lines") -> None:
    """The time is RFC 3339 in UTC with microseconds, also in the one microsecond of a million that is zero."""
    structlog.get_logger().info("now")
    timestamp = log_lines.only["timestamp"]
    assert len("2026-11-23T12:34:56.000000Z") == len(timestamp)
    assert timestamp.endswith("Z")
    assert timedelta(0) == datetime.fromisoformat(timestamp).utcoffset()


@pytest.mark.parametrize("level", LEVELS)
def test_level(configured_logs: "Callable[..., Lines]", level: str) -> None:
    """Lines below the level are left out, by structlog and by Python's own logging."""
    lines = configured_logs(level)
    for name in LEVELS:
        getattr(structlog.get_logger(), name)("structlog")
        getattr(logging.getLogger("library"), name)("logging")
    expected = [name for name in LEVELS[LEVELS.index(level) :] for _ in range(2)]
    assert expected == [line["level"] for line in lines.json]


def test_records_of_python(log_lines: "Lines") -> None:
    """What a library logs has the same form, with the name of its logger."""
    logging.getLogger("library").warning("%s of %s", 1, "ä")
    line = log_lines.only
    assert ("warning", "1 of ä", "library", os.getpid()) == (line["level"], line["event"], line["logger"], line["pid"])


def test_extra_of_python(log_lines: "Lines") -> None:
    """What a record bears by `extra=` is on the line, and takes the place of none of its own keys."""
    extra = {"order": 7, "event": "a", "logger": "b", "level": "c", "timestamp": "d", "pid": "e"}
    logging.getLogger("library").warning("sold", extra=extra)
    line = log_lines.only
    own = {"event": "sold", "logger": "library", "level": "warning", "pid": os.getpid()}
    theirs = {"order": 7, "event_": "a", "logger_": "b", "level_": "c", "timestamp_": "d", "pid_": "e"}
    assert own | theirs == {key: line[key] for key in own | theirs}
    assert line["timestamp"].endswith("Z")


class Incomparable:
    """A value such as an array of NumPy, whose comparison is none."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        """Fail, as `bool()` of a comparison of arrays does."""
        raise ValueError("ambiguous")

    def __repr__(self) -> str:
        """Describe it."""
        return "[1, 2]"


def test_keys_of_the_lines_own(log_lines: "Lines") -> None:
    """A caller's key that has the name of one of the line's own is there under a name of its own."""

    def work() -> None:
        structlog.contextvars.bind_contextvars(level="silver", timestamp=0, pid=os.getpid())
        structlog.get_logger().info("sold", level="gold", pid=7)
        structlog.get_logger().info("sold", level=Incomparable())

    copy_context().run(work)
    plain, odd = log_lines.json
    expected = {"level": "info", "level_": "gold", "timestamp_": 0, "pid": os.getpid(), "pid_": 7}
    assert expected == {key: plain[key] for key in expected}
    assert ("info", "[1, 2]") == (odd["level"], odd["level_"])


def test_lines_of_a_request(log_lines: "Lines") -> None:
    """A line that is written during a request bears its ids, and what is bound to it; the line's own keys stand."""
    record = RequestRecord("abc", "GET", "/", None, None, Trace("1" * 32, "2" * 16), 0.0)

    def view() -> None:
        set_current_record(record)
        structlog.contextvars.bind_contextvars(customer="c1", order=1)
        structlog.get_logger().info("by structlog", order=2)
        logging.getLogger("library").info("by logging", extra={"request_id": "other"})

    copy_context().run(view)
    structlog.get_logger().info("outside")
    ours, other, outside = log_lines.json
    assert ("abc", "1" * 32, "2" * 16, "c1", 2) == tuple(
        ours[key] for key in ("request_id", "trace_id", "span_id", "customer", "order")
    )
    assert ("abc", "other", "1" * 32, "c1") == tuple(
        other[key] for key in ("request_id", "request_id_", "trace_id", "customer")
    )
    assert ["timestamp", "level", "event", "pid"] == list(outside)


def test_lines_outside_of_a_request(log_lines: "Lines") -> None:
    """A thread or a command has lines of its own, and what is bound to it is on them."""

    def work() -> None:
        structlog.contextvars.bind_contextvars(job=7)
        structlog.get_logger().info("done")
        logging.getLogger("library").info("done")

    copy_context().run(work)
    structlog.get_logger().info("other")
    assert [7, 7, None] == [line.get("job") for line in log_lines.json]


def test_the_handlers_of_a_process_without_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pytest's `caplog` is a handler of the root logger, and goes on to see what is logged."""
    handler = logging.NullHandler()
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [handler])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(logs, "_emitter", None)
    try:
        logs.configure_unless_done("info", "json")
        assert [handler] == root.handlers[:-1]
    finally:
        logging.captureWarnings(False)
        structlog.reset_defaults()


def test_logs_of_a_process_without_a_server(capfd: pytest.CaptureFixture[str]) -> None:
    """`flask run` and `flask shell` get readable text on standard error; what the server has configured stands."""
    script = "import structlog; from app.observability.logs import configure_unless_done as configure;"
    twice = "configure('info', 'auto'); configure('info', 'json'); structlog.get_logger().info('started', port=1)"
    subprocess.run([sys.executable, "-c", script + twice], check=True)
    out, err = capfd.readouterr()
    assert ("", True, False) == (out, "started" in err and "port=1" in err, "{" in err)


def test_process_without_standard_error() -> None:
    """A process whose standard error is closed is no worse off than without logs."""
    script = "from app.observability.logs import configure_unless_done as configure; configure('info', 'auto')"
    subprocess.run(["sh", "-c", f'exec 2>&-; exec "$0" -c "{script}"', sys.executable], check=True)


@pytest.mark.parametrize("number", [1, 5, 15, 25, 35, 45, 55])
def test_levels_of_others(log_lines: "Lines", number: int) -> None:
    """A library's own level, between those of Python or below them, does no harm."""
    logging.getLogger("library").setLevel(1)
    try:
        logging.getLogger("library").log(number, "event")
    finally:
        logging.getLogger("library").setLevel(logging.NOTSET)
    assert all(line["event"] == "event" for line in log_lines.json)


def test_record_with_wrong_arguments(log_lines: "Lines") -> None:
    """A record whose arguments do not fit its text costs no request: it is a line, not an exception."""
    logging.getLogger("library").error("%d of %d", "one")  # noqa: PLE1206 - as a careless library does
    assert "%d of %d ('one',)" == log_lines.only["event"]


class Unprintable:
    """An object that fails to describe itself, as one of a database that is detached by now."""

    def __repr__(self) -> str:
        """Fail."""
        raise LookupError("a bug")


@pytest.mark.parametrize(
    ("arguments", "extra", "expected"),
    [
        pytest.param(("user %(name)s", {"nam": 1}), {}, {"event": "user %(name)s {'nam': 1}"}, id="wrong name"),
        pytest.param(("user %s", Unprintable()), {}, {"event": "user %s <tuple>"}, id="argument"),
        pytest.param((Unprintable(),), {}, {"event": "<Unprintable> ()"}, id="message"),
        pytest.param(("user",), {"who": Unprintable()}, {"event": "user", "who": "<Unprintable>"}, id="extra"),
        pytest.param(
            ("user",),
            {"a": {1: 2}, "b": Decimal("9.9")},
            {"a": "{1: 2}", "b": "Decimal('9.9')"},
            id="two of JSON's gaps",
        ),
        pytest.param(("user",), {"self": 1, "level": 2}, {"event": "user", "self": 1, "level": "warning"}, id="names"),
    ],
)
def test_a_record_fails_no_request(
    log_lines: "Lines", arguments: tuple[Any, ...], extra: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Whatever a library hands over is logged as far as it goes."""
    logging.getLogger("library").warning(*arguments, extra=extra)
    assert expected.items() <= log_lines.only.items()


@pytest.mark.parametrize("key", ["exception", "stack", "traceback"])
@pytest.mark.parametrize("value", [ValueError("no"), None, LocalProxy(lambda: "ValueError('no')")])
def test_a_console_takes_any_value(configured_logs: "Callable[..., Lines]", key: str, value: object) -> None:
    """On a terminal, too, no key needs to be a text, and none hides the traceback."""
    lines = configured_logs(log_format="console")
    structlog.get_logger().error("failed", exc_info=LookupError("why"), **{key: value})
    text = b"\n".join(lines.raw)
    assert (True, key != "traceback") == (b"LookupError" in text, repr(value).strip('"').encode() in text)


@pytest.mark.parametrize("exc_info", [(1, 2), (1, 2, 3)])
def test_a_tuple_that_is_no_exception(log_lines: "Lines", exc_info: tuple[int, ...]) -> None:
    """Given as `exc_info`, it is logged as it is."""
    structlog.get_logger().warning("failed", exc_info=exc_info)
    assert str(exc_info) == log_lines.only["traceback"]


def test_a_thread_of_a_request(log_lines: "Lines", make_settings: "Callable[..., Settings]") -> None:
    """A thread that Flask gives the request logs its id, too."""
    app = Flask(__name__)
    middleware.init_app(app, make_settings())

    @app.get("/")
    def view() -> str:
        thread = threading.Thread(target=copy_current_request_context(lambda: structlog.get_logger().info("inside")))
        thread.start()
        thread.join()
        return ""

    app.test_client().get("/", headers={"X-Request-ID": "mine"}, buffered=True)
    assert [("inside", "mine"), ("request", "mine")] == [(line["event"], line["request_id"]) for line in log_lines.json]


def test_a_console_takes_what_fails_to_describe_itself(configured_logs: "Callable[..., Lines]") -> None:
    """On a terminal, too, it fails no request."""
    lines = configured_logs(log_format="console")
    structlog.get_logger().warning("user", who=Unprintable(), n=[1])
    (line,) = lines.raw
    assert b"who=<Unprintable> n=[1]" in line


@pytest.mark.parametrize(
    "log",
    [
        pytest.param(lambda: structlog.get_logger().exception("failed"), id="structlog"),
        pytest.param(lambda: structlog.get_logger().error("failed", exc_info=sys.exception()), id="structlog, error"),
        pytest.param(lambda: structlog.get_logger().error("failed", exc_info=sys.exc_info()), id="structlog, triple"),
        pytest.param(lambda: structlog.get_logger().error("failed", exc_info=1), id="structlog, what counts as true"),
        pytest.param(lambda: logging.getLogger("x").exception("failed"), id="logging"),  # noqa: LOG004 - called in one
    ],
)
def test_traceback(log_lines: "Lines", log: "Callable[[], None]") -> None:
    """A traceback, its causes included, is one member of the line."""
    try:
        fail()
    except ValueError:
        log()
    line = log_lines.only
    assert ("error", "failed") == (line["level"], line["event"])
    assert line["traceback"].startswith("Traceback (most recent call last):\n")
    assert "KeyError: 'inner'" in line["traceback"]
    assert line["traceback"].endswith("ValueError: outer\n")


@pytest.mark.parametrize("log", [structlog.get_logger, logging.getLogger])
def test_stack(log_lines: "Lines", log: "Callable[[], Any]") -> None:
    """A line that asks for the stack has it."""
    log().warning("here", stack_info=True)
    assert 'log().warning("here", stack_info=True)' in log_lines.only["stack"]


def test_exception_without_one(log_lines: "Lines") -> None:
    """Who logs an exception where there is none still gets a line."""
    structlog.get_logger().exception("structlog")
    logging.getLogger("x").exception("logging")  # noqa: LOG004 - as a careless library does
    assert ["structlog", "logging"] == [line["event"] for line in log_lines.json]


def test_prints(configured_logs: "Callable[..., Lines]") -> None:
    """Each printed line is a log line; empty ones are left out; what has no end yet waits for it."""
    lines = configured_logs()
    print("one\ntwo\n\n  \nthr", end="")  # noqa: T201
    print("ee")  # noqa: T201
    print("err", file=sys.stderr)  # noqa: T201
    sys.stderr.write("unfinished")
    expected = [("one", "stdout"), ("two", "stdout"), ("three", "stdout"), ("err", "stderr")]
    assert expected == [(line["event"], line["stream"]) for line in lines.json]
    assert {"warning"} == {line["level"] for line in lines.json}


def test_printed_bytes(configured_logs: "Callable[..., Lines]") -> None:
    """What a program writes to the buffer of a stream is a line, too, whether it is text or not."""
    lines = configured_logs()
    assert (4, "utf-8") == (sys.stdout.buffer.write(b"\xc3\xa4\xff\n"), sys.stdout.encoding)
    with io.TextIOWrapper(sys.stdout.buffer, "utf-8") as wrapped:  # As a program does that wants another encoding.
        wrapped.write("text\n")
    assert ["ä\\xff", "text"] == [line["event"] for line in lines.json]


@pytest.mark.parametrize(
    "configuration",
    [
        {"logger_factory": structlog.PrintLoggerFactory()},
        {"logger_factory": structlog.WriteLoggerFactory()},
        {"logger_factory": structlog.stdlib.LoggerFactory(), "wrapper_class": structlog.stdlib.BoundLogger},
    ],
    ids=["print", "write", "logging"],
)
def test_an_application_that_configures_structlog(
    configured_logs: "Callable[..., Lines]", configuration: dict[str, Any]
) -> None:
    """What it prints is logged, once, and so are the lines of the service."""
    lines = configured_logs()
    logging.getLogger().addHandler(logging.StreamHandler())
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()], **configuration)
    structlog.get_logger().warning("quoted")
    logs.emit(logging.INFO, {"event": "starting"})
    print("printed")  # noqa: T201
    (quoted, *_), (*_, starting, printed) = lines.json, lines.json
    assert ("event='quoted'", "starting", "printed") == (quoted["event"], starting["event"], printed["event"])
    assert len(lines.json) == (4 if "wrapper_class" in configuration else 3)


def test_a_stream_has_what_libraries_ask_for(configured_logs: "Callable[..., Lines]") -> None:
    """Faulthandler and subprocess take the descriptor; reconfigure(), which many programs call first, is no error."""
    configured_logs()
    assert (1, 2) == (sys.stdout.fileno(), sys.stderr.fileno())
    sys.stdout.reconfigure(line_buffering=True)
    expected = ("<stdout>", "w", "utf-8", "backslashreplace", True, True)
    stdout = sys.stdout
    assert expected == (
        stdout.name,
        stdout.mode,
        stdout.encoding,
        stdout.errors,
        stdout.line_buffering,
        stdout.writable(),
    )


def test_prints_of_threads(configured_logs: "Callable[..., Lines]") -> None:
    """What one thread has begun to print, another one does not go on with."""
    lines = configured_logs()
    print("one", end=" ")  # noqa: T201
    thread = threading.Thread(target=print, args=("other",))
    thread.start()
    thread.join()
    print("two")  # noqa: T201
    assert ["other", "one two"] == [line["event"] for line in lines.json]


def test_the_last_print_of_a_thread(configured_logs: "Callable[..., Lines]") -> None:
    """What a thread has printed is a line after the thread has ended, with or without the end of a line."""
    lines = configured_logs()
    thread = threading.Thread(target=print, args=("last",), kwargs={"end": ""})
    thread.start()
    thread.join()
    end_lines()  # As at the end of a request.
    assert "last" == lines.only["event"]


def test_printed_traceback(configured_logs: "Callable[..., Lines]") -> None:
    """A library that prints a traceback breaks nothing."""
    lines = configured_logs()
    try:
        fail()
    except ValueError:
        traceback.print_exc()
    assert "ValueError: outer" == lines.json[-1]["event"]


def test_write_tells_the_length(configured_logs: "Callable[..., Lines]") -> None:
    """Writing returns how much was written, as a stream must."""
    lines = configured_logs()
    assert 4 == sys.stdout.write("a\nbc")
    assert "a" == lines.only["event"]


def test_warnings(configured_logs: "Callable[..., Lines]") -> None:
    """A warning of Python's is a line."""
    lines = configured_logs()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    line = lines.only
    assert ("warning", "py.warnings") == (line["level"], line["logger"])
    assert "DeprecationWarning: old" in line["event"]


def crash_of_main() -> None:
    """Do what Python does with an uncaught exception."""
    try:
        fail()
    except ValueError:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]


def crash_of_thread() -> None:
    """Let a thread die."""
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


def crash_of_finalizer() -> None:
    """Let an object raise while it is collected."""

    class Broken:
        def __del__(self) -> None:
            fail()

    broken = Broken()
    del broken


@pytest.mark.parametrize("crash", [crash_of_main, crash_of_thread, crash_of_finalizer])
def test_crashes(log_lines: "Lines", crash: "Callable[[], None]") -> None:
    """Whatever ends with an uncaught exception leaves one line with its traceback."""
    crash()
    line = log_lines.only
    assert ("critical", "crash", "ValueError") == (line["level"], line["event"], line["error"])
    assert line["traceback"].endswith("ValueError: outer\n")


def test_thread_that_exits(log_lines: "Lines") -> None:
    """A thread that calls sys.exit() has not crashed."""
    thread = threading.Thread(target=sys.exit)
    thread.start()
    thread.join()
    assert [] == log_lines.raw


NASTY = [
    pytest.param('quotes " and \\ backslashes \\n', id="quotes"),
    pytest.param('x"}\n{"level":"critical"}', id="line break"),
    pytest.param("a\r\nb\tc\x00d\x1b[31me\x7f", id="controls"),
    pytest.param("a\u2028b\u2029c\x85d\x0be\x0c", id="line separators"),
    pytest.param("\u202eabc\u2066def\u200f", id="bidirectional controls"),
    pytest.param("ä € \U0001d7d9 😀", id="beyond the basic plane"),
]


@pytest.mark.parametrize("text", NASTY)
def test_text_cannot_break_a_line(log_lines: "Lines", text: str) -> None:
    """Any text, as event, as member or inside one, comes back from one line of ASCII as it was."""
    structlog.get_logger().info(text, member=text, nested={"list": [text]})
    (raw,) = log_lines.raw
    assert raw.isascii()
    assert raw.decode().isprintable()
    assert (text, text, {"list": [text]}) == tuple(log_lines.only.values())[2:-1]


def test_text_that_is_no_unicode_is_escaped(log_lines: "Lines") -> None:
    """A lone surrogate, as in a file name of another encoding, comes as an escape that every parser takes."""
    structlog.get_logger().info("a\ud800b", number=1)
    assert ("a\\ud800b", 1) == (log_lines.only["event"], log_lines.only["number"])


@example("", "\ud800")
@given(st.text(st.characters(exclude_categories=[])), st.text(st.characters(exclude_categories=[])))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_one_line(log_lines: "Lines", event: str, member: str) -> None:
    """No text whatever makes two lines of one, or none."""
    before = len(log_lines.raw)
    structlog.get_logger().info(event, member=member)
    assert before + 1 == len(log_lines.raw)
    escaped = [text.encode("utf-8", "backslashreplace").decode() for text in (event, member)]
    assert escaped == list(log_lines.json[-1].values())[2:-1]


@pytest.mark.parametrize(
    "value",
    [object(), 2**80, {1, 2}, {1: 2}, b"\xff", Exception("x"), float("nan"), 1 + 2j, Unprintable(), [Unprintable()]],
    ids=lambda value: type(value).__name__,
)
def test_any_value_is_logged(log_lines: "Lines", value: Any) -> None:
    """A value that JSON does not know is no reason to lose the line, nor to change the other values."""
    structlog.get_logger().info("event", value=value, none=None, number=1)
    line = log_lines.only
    assert ("value" in line, None, 1) == (True, line["none"], line["number"])


@pytest.mark.parametrize(
    "text",
    ["x" * 10_000, '"' * 10_000, "é" * 10_000, "😀" * 10_000, "\x00" * 10_000, "\udc80" * 10_000],
    ids=lambda text: ascii(text[0]),
)
@pytest.mark.parametrize("members", [["event"], ["event", "traceback"], ["event", "a", "b", "c", "traceback"]])
def test_line_fits_a_pipe(log_lines: "Lines", text: str, members: list[str]) -> None:
    """A line never has more than the 4,096 bytes that a pipe takes in one piece, its end included."""
    structlog.get_logger().info(**dict.fromkeys(members, text))
    (raw,) = log_lines.raw
    assert len(raw) < 4096
    assert [*members, "pid"] == list(json.loads(raw))[2:]


@pytest.mark.parametrize("name", ["key{}", "{}" + "é" * 200], ids=["many", "long"])
def test_line_with_too_many_keys(log_lines: "Lines", name: str) -> None:
    """Of a line with hundreds of keys, as of a query that a view logs, those that fit stay."""
    structlog.get_logger().info("form", **{name.format(number): number for number in range(600)})
    (raw,) = log_lines.raw
    line = log_lines.only
    assert (True, "form", True) == (len(raw) < 4096, line["event"], "pid" in line)
    assert 600 == line["keys_left_out"] + len(line) - len(("timestamp", "level", "event", "pid", "keys_left_out"))


def test_what_is_left_of_a_long_line(log_lines: "Lines") -> None:
    """A long text keeps its start, a traceback its end: these say most."""
    structlog.get_logger().info("<" + "x" * 10_000, traceback="x" * 10_000 + ">", short="short", number=1)
    line = log_lines.only
    assert ("<", ">", "short", 1) == (line["event"][0], line["traceback"][-1], line["short"], line["number"])


def test_reader_that_has_gone_away(configured_logs: "Callable[..., Lines]") -> None:
    """A pipe that has lost its reader costs no request."""
    configured_logs()
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        configure_logs("info", "json", LogOutput(stream), {})
        assert structlog.get_logger().info("line") is None


def on_terminal(log_format: str, environ: dict[str, str]) -> str:
    """Log a line on a terminal, and read what it shows."""
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as stream, os.fdopen(leader, "rb", buffering=0) as terminal:
        configure_logs("info", log_format, LogOutput(stream), environ)
        structlog.get_logger().info("started", port=5000)
        return terminal.read(4096).decode()


@pytest.mark.parametrize(
    ("environ", "is_colored"),
    [
        ({}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
@pytest.mark.parametrize("log_format", ["auto", "console"])
def test_console(
    configured_logs: "Callable[..., Lines]", log_format: str, environ: dict[str, str], is_colored: bool
) -> None:
    """On a terminal the same events are readable text, in colour unless the environment declines it."""
    configured_logs()
    text = on_terminal(log_format, environ)
    assert "started" in text
    assert "5000" in text
    assert is_colored == ("\x1b[" in text)
    assert "{" not in text


def test_auto_is_json_elsewhere(configured_logs: "Callable[..., Lines]") -> None:
    """Where no person looks, `auto` is JSON."""
    lines = configured_logs("info", "auto")
    structlog.get_logger().info("started")
    assert "started" == lines.only["event"]


def test_json_on_a_terminal(configured_logs: "Callable[..., Lines]") -> None:
    """`json` is JSON also on a terminal."""
    configured_logs()
    assert "started" == json.loads(on_terminal("json", {}))["event"]


def test_console_elsewhere_has_no_colors(configured_logs: "Callable[..., Lines]") -> None:
    """Text that goes into a file has no colours in it."""
    lines = configured_logs("info", "console")
    structlog.get_logger().info("started")
    assert b"started" in lines.path.read_bytes()
    assert b"\x1b" not in lines.path.read_bytes()


def test_traceback_on_a_console(configured_logs: "Callable[..., Lines]") -> None:
    """In the readable form a traceback has its lines."""
    lines = configured_logs("info", "console")
    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("failed")
    assert b"\nValueError: outer\n" in lines.path.read_bytes()


@pytest.mark.parametrize("text", ["a\x1b[2Jb", "a\u202eb", "a\nforged", "a\rforged"], ids=ascii)
def test_console_is_not_a_way_to_the_terminal(configured_logs: "Callable[..., Lines]", text: str) -> None:
    """Also in the readable form, a member that a client has sent cannot control the terminal."""
    lines = configured_logs("info", "console")
    structlog.get_logger().info("request", user_agent=text)
    output = lines.path.read_bytes().decode()
    assert text not in output
    assert 1 == output.count("\n")


def test_console_drops_the_colors_of_others(configured_logs: "Callable[..., Lines]") -> None:
    """The colours in the lines of `flask run` are left out of the readable form."""
    lines = configured_logs("info", "console")
    logging.getLogger("werkzeug").info("\x1b[31m\x1b[1mPress\x1b[0m CTRL+C")
    assert b"Press CTRL+C" in lines.path.read_bytes()


def test_an_event_where_structlog_is_configured_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application that has configured structlog itself gets the lines of requests by its own configuration."""
    monkeypatch.setattr(logs, "_emitter", None)
    with structlog.testing.capture_logs() as captured:
        logs.emit(logging.INFO, {"event": "request", "status": 200})
    assert [{"event": "request", "status": 200, "log_level": "info"}] == captured
