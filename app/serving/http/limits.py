"""The limits of what one client, and all of them together, may take of a worker."""

from dataclasses import dataclass

# Eight of the costliest bodies of the largest size fit a container of 128 MB, while they are received, wait and are
# worked on. With a smaller limit there may be more of them.
HELD_BODIES = 8
LEAST_HELD_BYTES = 8 * 1024 * 1024

# A chunk costs 2 us, however small, in the event loop, where no queue counts it: a megabyte in chunks of one byte would
# hold up the others for two seconds. Those that are free cost as much as eight small requests.
FREE_CHUNKS = 1000
BYTES_PER_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds in bytes, seconds and numbers; docs/threat-model.md has the measurement behind each."""

    body_bytes: int
    keep_alive: float = 75.0

    # gunicorn's and Node.js's bounds: a line of 8 kB, 100 fields, 16 KiB for all fields of a head.
    request_line_bytes: int = 8190
    fields: int = 100
    field_bytes: int = 16 * 1024

    # Seconds from the first byte to the end of the head, then to the end of the body, then for the client to take what
    # was sent.
    head: float = 10.0
    body: float = 30.0
    send: float = 10.0

    # Seconds that a client has to read the last response and close: without a byte from it, and all in all.
    close: float = 2.0
    longest_close: float = 10.0

    # Seconds that a stopping worker keeps an idle connection open, for a request that may be on its way.
    linger: float = 1.0

    # A new request is rejected while the first in the queue has waited longer than this, and one that has waited twice
    # as long is rejected in its turn.
    wait: float = 1.0

    connections: int = 1000

    # Requests that hold more bytes than this, with their heads and what stands behind them, are bounded together, by
    # held_bytes, until they are answered. A thousand below it hold 16 MB.
    large_bytes: int = 16 * 1024

    # A client that holds a large request, and has not sent another `large_bytes` of it for this long, gives way to one
    # that sends.
    stalled: float = 1.0

    @property
    def held_bytes(self) -> int:
        """Return how many bytes of requests a worker holds together. Each of the largest bodies has a head."""
        return max(HELD_BODIES * (self.body_bytes + self.large_bytes), LEAST_HELD_BYTES)

    @staticmethod
    def chunks(body_bytes: int) -> int:
        """Return how many chunks may have carried the first bytes of a body."""
        return FREE_CHUNKS + body_bytes // BYTES_PER_CHUNK
