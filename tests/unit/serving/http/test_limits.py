"""The limits that follow from the largest body."""

import pytest

from app.serving.http.limits import Limits

MEBIBYTE = 1024 * 1024
HEAD_BYTES = 16 * 1024


@pytest.mark.parametrize(
    ("body_bytes", "expected"),
    [
        (1, 8 * MEBIBYTE),
        (MEBIBYTE - HEAD_BYTES, 8 * MEBIBYTE),
        (MEBIBYTE, 8 * MEBIBYTE + 8 * HEAD_BYTES),
        (64 * MEBIBYTE, 512 * MEBIBYTE + 8 * HEAD_BYTES),
    ],
)
def test_held_bytes(body_bytes: int, expected: int) -> None:
    """Several of the largest bodies are held at once, each with its head, and of small ones as many megabytes."""
    assert expected == Limits(body_bytes).held_bytes


@pytest.mark.parametrize(("body_bytes", "expected"), [(0, 250), (64, 251), (MEBIBYTE, 16_634)])
def test_chunks(body_bytes: int, expected: int) -> None:
    """250 chunks are free, and each 64 bytes that have come allow for one more."""
    assert expected == Limits.chunks(body_bytes)
