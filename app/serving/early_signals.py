"""Early signals: those that arrive before the server can handle them."""

import os
import signal
import sys
from collections.abc import Iterable
from types import FrameType


class EarlySignals:
    """Ends the process by SystemExit on a signal while the application is loaded, and collects later ones.

    The application may load for long, or wait for a database that never comes. Blocking the signals would not end that,
    and the programs that the application starts would inherit it: a stop would wait for them without end.
    """

    def __init__(self, stops: Iterable[signal.Signals], others: Iterable[signal.Signals] = ()) -> None:
        self._process = os.getpid()
        self._arrived: list[int] = []
        self._stops = frozenset(stops)
        self._numbers = self._stops | frozenset(others)
        self._is_loading = True
        self._is_collecting = True
        self._mask: Iterable[int] = ()
        for number in self._numbers:
            signal.signal(number, self._collect)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._numbers)
        # Python drops the signals of a forked process that arrive before it has begun.
        os.register_at_fork(before=self._block, after_in_parent=self._unblock, after_in_child=self._unblock)

    def end_loading(self) -> None:
        """Collect stops from here on: the server is about to start processes, and has to stop them."""
        self._is_loading = False

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
            self._arrived.append(number)  # Even so: a bare `except` of the application may catch SystemExit.
            if self._is_loading and number in self._stops:
                sys.exit(0)
        else:  # A process that the application has forked inherits this handler.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
