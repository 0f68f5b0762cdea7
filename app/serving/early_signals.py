"""Early signals: those that arrive before the server can handle them."""

import os
import signal
from collections.abc import Collection
from types import FrameType


class EarlySignals:
    """Collects signals while the application is loaded, and sends them again later.

    Blocking them would do as much, but the programs that the application starts would inherit that, and could not be
    stopped: a stop of the service would wait for them without end.
    """

    def __init__(self, numbers: Collection[signal.Signals]) -> None:
        self._numbers = numbers
        self._arrived: list[int] = []
        self._is_collecting = True
        self._blocked: Collection[int] = ()
        for number in numbers:
            signal.signal(number, self._collect)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
        # A signal for a forked process that came before it has its own handlers would be lost in its copy of the list.
        os.register_at_fork(before=self._block, after_in_parent=self._unblock, after_in_child=self._leave_child)

    def send_again(self) -> None:
        """Send this process what has arrived, now that it has other handlers."""
        self._is_collecting = False
        for number in self._arrived:
            os.kill(os.getpid(), number)
        self._arrived.clear()

    def _collect(self, number: int, _frame: FrameType | None) -> None:
        self._arrived.append(number)

    def _block(self) -> None:
        if self._is_collecting:
            self._blocked = signal.pthread_sigmask(signal.SIG_BLOCK, self._numbers)

    def _unblock(self) -> None:
        if self._is_collecting:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)

    def _leave_child(self) -> None:
        for number in self._numbers:
            if signal.getsignal(number) == self._collect:
                signal.signal(number, signal.SIG_DFL)
        self._unblock()
        self._is_collecting = False
