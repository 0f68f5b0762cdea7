"""Early signals: those that arrive before the server can handle them."""

import os
import signal
from collections.abc import Iterable
from types import FrameType


class EarlySignals:
    """Collects signals while the application is loaded, and sends them again later.

    Blocking them would do as much, but the programs that the application starts would inherit that, and could not be
    stopped: a stop of the service would wait for them without end.
    """

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        self._process = os.getpid()
        self._arrived: list[int] = []
        self._numbers = frozenset(numbers)
        self._is_collecting = True
        self._mask: Iterable[int] = ()
        for number in self._numbers:
            signal.signal(number, self._collect)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._numbers)
        # Python drops the signals of a forked process that arrive before it has begun.
        os.register_at_fork(before=self._block, after_in_parent=self._unblock, after_in_child=self._unblock)

    def send_again(self) -> None:
        """Send this process what has arrived, now that it has other handlers."""
        self._is_collecting = False
        for number in self._arrived:
            os.kill(os.getpid(), number)
        self._arrived.clear()

    def _block(self) -> None:
        if self._is_collecting:
            self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._numbers)

    def _unblock(self) -> None:
        if self._is_collecting:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _collect(self, number: int, _frame: FrameType | None) -> None:
        if os.getpid() == self._process:
            self._arrived.append(number)
        else:  # A process that the application has forked inherits this handler.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
