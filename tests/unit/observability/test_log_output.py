"""The output of the log: lines come whole, or are dropped and counted, and no request waits for a stopped reader."""

import errno
import os
import select
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import structlog

from app.observability import log_output
from app.observability.log_output import WAIT_INTERVAL_SECONDS, WAIT_SECONDS, LogOutput
from app.observability.logs import configure_logs

if TYPE_CHECKING:
    from tests.support.log_lines import Lines

LINE = b"x" * 999 + b"\n"
NO_ROOM = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def pipe() -> Iterator[tuple[int, LogOutput]]:
    """Make a pipe: its reading end, and the output that writes into it."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with os.fdopen(writing, "w") as stream:
        yield reading, LogOutput(stream)
    os.close(reading)


@pytest.fixture
def counted(pipe: tuple[int, LogOutput]) -> list[None]:
    """Count what the output of the pipe drops."""
    dropped: list[None] = []
    pipe[1].count_dropped = lambda: dropped.append(None)
    return dropped


def fill(output: LogOutput, dropped: list[None]) -> int:
    """Write lines until the first of them is dropped, and tell how many came before it."""
    written = 0
    while not dropped:
        output.write(LINE)
        written += 1
    return written - 1


def drained(reading: int) -> list[bytes]:
    """Read what is there; it must be whole lines."""
    text = b""
    while select.select([reading], [], [], 0)[0]:
        text += os.read(reading, 1024 * 1024)
    assert text.endswith(b"\n")
    return text.splitlines(keepends=True)


def test_a_reader_that_has_stopped_costs_one_wait(
    pipe: tuple[int, LogOutput], counted: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full pipe costs one wait in a while, and one with an end; what it does not take is dropped and counted."""
    reading, output = pipe
    clock = SimpleNamespace(now=100.0)
    waits: list[float] = []

    def wait(milliseconds: float) -> None:
        waits.append(milliseconds / 1000)
        clock.now += milliseconds / 1000

    monkeypatch.setattr(log_output, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(log_output.select, "poll", lambda: SimpleNamespace(register=lambda *_: None, poll=wait))
    written = fill(output, counted)
    for _ in range(1000):
        output.write(LINE)
    assert [WAIT_SECONDS] == pytest.approx(waits)
    clock.now += WAIT_INTERVAL_SECONDS
    output.write(LINE)
    assert [WAIT_SECONDS] * 2 == pytest.approx(waits)
    assert 1002 == len(counted)
    assert [LINE] * written == drained(reading)


def test_other_owners_of_the_pipe_are_left_alone(pipe: tuple[int, LogOutput], counted: list[None]) -> None:
    """Other processes that have the pipe open still write to it as before, and wait."""
    _, output = pipe
    fill(output, counted)
    assert os.get_blocking(output._descriptor)  # noqa: SLF001 - the inherited one


def test_the_gap_is_announced(pipe: tuple[int, LogOutput], counted: list[None]) -> None:
    """When the reader is back, a line says how many are missing, once."""
    reading, output = pipe
    announced: list[int] = []
    output.announce_dropped = announced.append
    fill(output, counted)
    for _ in range(6):
        output.write(LINE)
    drained(reading)
    for _ in range(2):
        output.write(LINE)
    assert ([7], 7) == (announced, len(counted))
    assert [LINE] * 2 == drained(reading)


def test_an_announcement_that_is_dropped_comes_later(pipe: tuple[int, LogOutput], counted: list[None]) -> None:
    """Where there is room for a line and not for the announcement, the next one counts for both."""
    reading, output = pipe
    announced: list[int] = []

    def announce(lines: int) -> None:
        if not announced:
            before = len(counted)
            while len(counted) == before:
                output.write(LINE)
        announced.append(lines)

    fill(output, counted)
    drained(reading)
    output.announce_dropped = announce
    output.write(LINE)
    drained(reading)
    output.write(LINE)
    assert [1, 2] == announced


def test_the_announcement_is_a_line_of_the_log(
    configured_logs: "Callable[..., Lines]", pipe: tuple[int, LogOutput], counted: list[None]
) -> None:
    """The announcement has the form of all lines and follows the first one after the gap."""
    configured_logs()
    reading, output = pipe
    configure_logs("info", "json", output, {})
    while not counted:
        structlog.get_logger().info("before")
    drained(reading)
    structlog.get_logger().info("after")
    first, second = drained(reading)
    assert b'"event":"after"' in first
    assert b'"level":"warning","event":"log lines dropped","lines":1,' in second


def test_a_reader_that_is_late_loses_nothing(
    pipe: tuple[int, LogOutput], counted: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who logs into a full pipe waits, so that a reader that comes a moment later finds every line."""
    reading, output = pipe
    read: list[bytes] = []

    class Poll:
        """A wait during which the reader comes back: at the second look, because another process is quicker once."""

        def __init__(self) -> None:
            self.looks = 0

        def register(self, *_: int) -> None:
            """Take note of nothing."""

        def poll(self, _milliseconds: float) -> None:
            """Let the reader read."""
            self.looks += 1
            if self.looks > 1:
                read.extend(drained(reading))

    monkeypatch.setattr(log_output.select, "poll", Poll)
    numbers = [b"%0999d\n" % number for number in range(1200)]
    for line in numbers:
        output.write(line)
    assert ([], numbers) == (counted, read + drained(reading))


def test_a_pipe_that_cannot_be_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without /proc, or where the pipe is another user's, lines are written as by any other program."""

    def refuse(*_: object) -> int:
        raise OSError(errno.EACCES, "Permission denied")

    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream, os.fdopen(reading, "rb") as reader:
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", refuse)
            output = LogOutput(stream)
        output.write(LINE)
        assert LINE == reader.readline()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # The output keeps its copy of the socket as long as it lives.
def test_a_socket() -> None:
    """On a socket, as systemd gives one, lines come whole, and no request waits either."""
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("w") as stream:
        output = LogOutput(stream)
        dropped: list[None] = []
        output.count_dropped = lambda: dropped.append(None)
        written = fill(output, dropped)
        assert ours.gettimeout() is None
        theirs.setblocking(False)
        assert [LINE] * written == drained(theirs.fileno())


def test_a_terminal_that_takes_a_part(output: LogOutput, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A line of which a part was written is completed first when there is room again: no two lines get mixed."""
    room = 1500

    def write(data: bytes) -> int:
        nonlocal room
        if room == 0:
            raise NO_ROOM
        written = os.write(output._descriptor, data[:room])  # noqa: SLF001
        room -= written
        return written

    monkeypatch.setattr(output, "_write_at_once", write)
    dropped: list[None] = []
    output.count_dropped = lambda: dropped.append(None)
    numbers = [b"%0999d\n" % number for number in range(6)]
    for line in numbers[:3]:
        output.write(line)
    room = 100
    output.write(numbers[3])
    room = 10_000
    for line in numbers[4:]:
        output.write(line)
    assert numbers[:2] + numbers[4:] == (tmp_path / "stdout").read_bytes().splitlines(keepends=True)
    assert 2 == len(dropped)


@pytest.mark.parametrize("path", ["/dev/null", "/dev/full"])
def test_devices(path: str) -> None:
    """A device that takes everything takes the lines; one that is always full drops and counts them."""
    with open(path, "w") as stream:  # noqa: PTH123 - a device
        output = LogOutput(stream)
        dropped: list[None] = []
        output.count_dropped = lambda: dropped.append(None)
        output.write(LINE)
        assert (path == "/dev/full") == bool(dropped)
        os.dup2(os.open("/dev/null", os.O_WRONLY), stream.fileno())  # Or else the stream could not be closed.


def test_a_lock_that_a_fork_has_taken_along(tmp_path: Path) -> None:
    """A process that was forked while another thread wrote can write."""
    with (tmp_path / "log").open("w") as stream:
        output = LogOutput(stream)
        held, done = threading.Event(), threading.Event()

        def hold() -> None:
            with output._lock:  # noqa: SLF001 - as a thread that waits for a reader
                held.set()
                assert done.wait(20)

        thread = threading.Thread(target=hold)
        thread.start()
        assert held.wait(20)
        output.renew_lock()  # Here, since a test that forks beside a thread would be warned of.
        output.write(b"line\n")
        done.set()
        thread.join()
    assert "line\n" == (tmp_path / "log").read_text()
