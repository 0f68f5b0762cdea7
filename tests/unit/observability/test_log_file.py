"""The log file: lines come whole, whatever the disk and the other processes do."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.observability import log_file
from app.observability.log_file import LOCK_INTERVAL_SECONDS, LOCK_SECONDS, RETRY_SECONDS
from app.observability.log_output import LogOutput
from tests.support.file_lock import locked

LINE = b"x" * 999 + b"\n"


# Writes lines for a quarter of a second into a file that may grow by 1,500 bytes, and again by as many for each line
# that it does not take.
WRITER = """
import os, resource, sys, time
from app.observability.log_output import LogOutput
letter, limits = sys.argv[1], sys.argv[2] == "limits"
output = LogOutput(sys.stdout)
written = dropped = 0
def allow_more():
    global dropped
    dropped += 1
    if limits:
        resource.setrlimit(resource.RLIMIT_FSIZE, (os.fstat(1).st_size + 1500, resource.RLIM_INFINITY))
output.count_dropped = allow_more
allow_more()
end = time.monotonic() + 0.25
while time.monotonic() < end:
    written += 1
    output.write(letter.encode() * 999 + b"\\n")
print(written - dropped + 1, dropped, file=sys.stderr)
"""


def test_a_disk_that_becomes_full(tmp_path: Path) -> None:
    """A line of which a file takes only a part is taken back, before another process writes behind it."""
    path = tmp_path / "stdout"
    with path.open("w") as stdout:
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, letter, limits], stdout=stdout, stderr=subprocess.PIPE)
            for letter, limits in (("a", "limits"), ("b", "limits"), ("c", "none"))
        ]
        written, dropped = zip(*(map(int, writer.communicate()[1].split()) for writer in writers), strict=True)
    lines = path.read_bytes().splitlines(keepends=True)
    assert {letter * 999 + b"\n" for letter in (b"a", b"b", b"c")} == set(lines)
    assert dropped[0] > 1
    assert list(written) == [lines.count(letter * 999 + b"\n") for letter in (b"a", b"b", b"c")]


def test_a_file_without_locks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On a file system that knows no locks, lines are written as by any other program."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(log_file.fcntl, "lockf", refuse)
    with (tmp_path / "stdout").open("w") as stream:
        LogOutput(stream).write(LINE)
    assert LINE == (tmp_path / "stdout").read_bytes()


@pytest.mark.parametrize(("others", "left"), [(b"", b""), (b"other\n", LINE[:100] + b"other\n")])
def test_a_part_of_a_line_in_a_file(
    monkeypatch: pytest.MonkeyPatch, output: LogOutput, tmp_path: Path, others: bytes, left: bytes
) -> None:
    """It is taken back, but not where a program that takes no lock has written behind it."""
    write = os.write

    def write_a_part(descriptor: int, data: bytes) -> int:
        part = write(descriptor, data[:100])
        with (tmp_path / "stdout").open("ab") as other:
            other.write(others)
        return part

    dropped: list[None] = []
    output.count_dropped = lambda: dropped.append(None)
    with monkeypatch.context() as patch:
        patch.setattr(log_file.os, "write", write_a_part)
        output.write(LINE)
    assert 1 == len(dropped)
    assert left == (tmp_path / "stdout").read_bytes()


def test_a_file_that_is_truncated(output: LogOutput, tmp_path: Path) -> None:
    """Log rotation by `copytruncate` leaves no hole, although `>` has opened the file."""
    output.write(LINE)
    os.truncate(tmp_path / "stdout", 0)
    output.write(LINE)
    assert LINE == (tmp_path / "stdout").read_bytes()


def test_a_process_that_is_suspended_while_it_writes(
    monkeypatch: pytest.MonkeyPatch, output: LogOutput, tmp_path: Path
) -> None:
    """The others wait for its lock once in a while, and not for long; then they write without it."""
    clock = SimpleNamespace(now=100.0)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.now += seconds

    monkeypatch.setattr(log_file, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep))
    with locked(tmp_path / "stdout"):
        for _ in range(3):
            output.write(LINE)
        assert pytest.approx(LOCK_SECONDS, abs=RETRY_SECONDS) == sum(waits)
        clock.now += LOCK_INTERVAL_SECONDS
        output.write(LINE)
        assert pytest.approx(2 * LOCK_SECONDS, abs=2 * RETRY_SECONDS) == sum(waits)
    assert 4 * LINE == (tmp_path / "stdout").read_bytes()
