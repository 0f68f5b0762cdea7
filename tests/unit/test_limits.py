"""The limits of what one client may take."""

import pytest

from app.limits import HELD_BODIES, LEAST_HELD_BYTES, Limits

MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("body_bytes", "expected"),
    [(1, LEAST_HELD_BYTES), (MEBIBYTE, HELD_BODIES * MEBIBYTE), (16 * MEBIBYTE, 16 * HELD_BODIES * MEBIBYTE)],
)
def test_held_bytes(body_bytes: int, expected: int) -> None:
    """Several of the largest bodies are held at once, and of small ones as many as of the default size."""
    assert expected == Limits(body_bytes).held_bytes
