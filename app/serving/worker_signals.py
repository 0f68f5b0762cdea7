"""The signals for which a worker has handlers."""

import signal
from collections.abc import Collection

STOPS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})

# All that end it.
ENDS = STOPS | {signal.SIGABRT, signal.SIGHUP}


def block(numbers: Collection[signal.Signals] = ENDS) -> None:
    """Let signals wait, in this thread and in the threads and processes that it starts."""
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)


def unblock(numbers: Collection[signal.Signals] = ENDS) -> None:
    """Take signals again, and those that have waited."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
