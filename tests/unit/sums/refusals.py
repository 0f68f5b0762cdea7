"""What the tests say of a body that is refused."""

import pytest

from app.sums.decoding import BodyError


def refused(outcome: str) -> "pytest.RaisesExc[BodyError]":
    """Expect that a body is refused with an outcome of the metric."""
    return pytest.RaisesExc(BodyError, check=lambda error: error.outcome == outcome)
