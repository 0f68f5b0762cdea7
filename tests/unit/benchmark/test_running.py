"""The CPU time of a candidate."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.benchmark.candidates import OURS
from tests.benchmark.running import Running, WrongAnswerError

CPU_SECONDS = 0.2

# A master whose only child computes, and which says when that is done.
PROGRAM = f"""
import os, sys, time
if os.fork() == 0:
    while time.process_time() < {CPU_SECONDS}:
        pass
    os.write(1, b"done")
sys.stdin.read()
"""


@pytest.fixture
def tree() -> Iterator[subprocess.Popen[bytes]]:
    """Run two processes."""
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert b"done" == process.stdout.read(4)
        yield process


def test_cpu_time_of_the_children_counts(tree: subprocess.Popen[bytes]) -> None:
    """The CPU time is that of all processes, of which the kernel counts the ticks that are over."""
    tick = 0.01
    assert CPU_SECONDS - tick <= Running(OURS, 0, 5000, tree).cpu_seconds()


def test_a_missing_process_fails(tree: subprocess.Popen[bytes]) -> None:
    """The CPU time of a process that is gone is unknown, and not 0."""
    with pytest.raises(WrongAnswerError):
        Running(OURS, 2, 5000, tree).cpu_seconds()
