"""Early signals: none is lost during the start, and what the application starts gets its own."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from app.serving.early_signals import EarlySignals


@pytest.fixture
def early_signals() -> Iterator[EarlySignals]:
    """Collect SIGTERM, which has been blocked since the start."""
    before, hangup = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    early_signals = EarlySignals({signal.SIGTERM}, {signal.SIGHUP})
    yield early_signals
    early_signals.send_again()  # It leaves alone the processes that other tests fork.
    signal.signal(signal.SIGTERM, before)
    signal.signal(signal.SIGHUP, hangup)


def test_a_stop_ends_the_loading(early_signals: EarlySignals) -> None:
    """SIGTERM raises SystemExit in what the application waits for, each time, and SIGHUP does not."""
    signal.raise_signal(signal.SIGHUP)
    for _ in range(2):
        with pytest.raises(SystemExit) as end:
            signal.raise_signal(signal.SIGTERM)
        assert 0 == end.value.code
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    early_signals.send_again()


def test_signals_come_again(early_signals: EarlySignals) -> None:
    """What arrives before there is a handler reaches it later, once."""
    early_signals.end_loading()
    signal.raise_signal(signal.SIGTERM)
    handled: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: handled.append(number))
    for _ in range(2):
        early_signals.send_again()
    assert [signal.SIGTERM] == handled


def test_what_a_forked_process_inherits(early_signals: EarlySignals, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forked process, which has another id, does with a signal what it would do by default."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "getpid", lambda: -7)
    monkeypatch.setattr(os, "kill", lambda *arguments: sent.append(arguments))
    signal.raise_signal(signal.SIGTERM)
    early_signals.send_again()
    assert ([(-7, signal.SIGTERM)], signal.SIG_DFL) == (sent, signal.getsignal(signal.SIGTERM))


@pytest.mark.usefixtures("early_signals")
def test_a_program_can_be_stopped() -> None:
    """SIGTERM ends a program that is started meanwhile."""
    program = subprocess.Popen(["sleep", "60"])
    program.terminate()
    assert -signal.SIGTERM == program.wait(20)


@pytest.mark.usefixtures("early_signals")
@pytest.mark.parametrize("has_own", [False, True])
def test_a_forked_process_can_be_stopped(*, has_own: bool) -> None:
    """SIGTERM ends a process that is forked meanwhile, unless it has a handler of its own."""
    if has_own:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
    pid = os.fork()
    if pid == 0:
        while True:
            time.sleep(0.01)  # Not pause(), which misses a signal that comes just before it.
    os.kill(pid, signal.SIGTERM)
    _, status = os.waitpid(pid, 0)
    assert (7 if has_own else -signal.SIGTERM) == os.waitstatus_to_exitcode(status)
