"""The limits of what one client may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may take: bytes of a body, and seconds for each phase of a request."""

    body_bytes: int
    keep_alive: float = 75.0
    head: float = 10.0
    body: float = 30.0
    send: float = 10.0
    close: float = 2.0  # without a byte from a client that is to read the last response and close
    longest_close: float = 10.0  # with bytes from it
