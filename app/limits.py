"""The limits of what one client may take."""

from dataclasses import dataclass

# So many bodies of the largest size are held while they are received, and as many while they wait: eight of the
# costliest at once fit a container of 128 MB. With a smaller limit there may be more of them.
HELD_BODIES = 8
LEAST_HELD_BYTES = 8 * 1024 * 1024


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

    @property
    def held_bytes(self) -> int:
        """Tell how many bytes of bodies are held while they are received, and how many while they wait."""
        return max(HELD_BODIES * self.body_bytes, LEAST_HELD_BYTES)
