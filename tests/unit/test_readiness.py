"""Readiness: one fact for all processes."""

import os

from app.readiness import Readiness


def test_ready_until_withdrawn() -> None:
    """A new service is ready, until that is withdrawn for good."""
    readiness = Readiness()
    before = bool(readiness)
    readiness.withdraw()
    readiness.withdraw()
    assert (True, False) == (before, bool(readiness))


def test_shared_with_forked_processes() -> None:
    """A process that was forked before sees what another one does after."""
    readiness = Readiness()
    child = os.fork()
    if child == 0:
        readiness.withdraw()
        os._exit(0)
    os.waitpid(child, 0)
    assert not readiness


def test_one_per_service() -> None:
    """Two services do not share theirs."""
    one, other = Readiness(), Readiness()
    one.withdraw()
    assert (False, True) == (bool(one), bool(other))
