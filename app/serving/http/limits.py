"""The limits on what one client, and all clients together, may use of a worker."""

from dataclasses import dataclass

# Eight of the costliest bodies of the largest size fit into a container of 128 MB while they are received, queued and
# processed. With a smaller body limit there may be more of them.
HELD_BODIES = 8
LEAST_HELD_BYTES = 8 * 1024 * 1024

# A chunk of any size costs 1.2 us in the event loop, where no queue limits it, and 2.5 us with an extension: a megabyte
# in chunks of one byte would delay the others for more than a second. The free chunks cost as much as two or three
# small requests.
FREE_CHUNKS = 250
BYTES_PER_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits in bytes, seconds and numbers; docs/threat-model.md has the measurement behind each."""

    body_bytes: int
    keep_alive: float = 75.0

    # The limits of gunicorn and Node.js: a line of 8 kB, 100 fields, 16 KiB for all fields of a head.
    request_line_bytes: int = 8190
    fields: int = 100
    field_bytes: int = 16 * 1024

    # Seconds from the first byte to the end of the head, then to the end of the body, then for the client to take what
    # was sent.
    head: float = 10.0
    body: float = 30.0
    send: float = 10.0

    # Seconds that a client has to read the last response and close: since its last byte, and in total.
    close: float = 2.0
    longest_close: float = 10.0

    # Seconds that a stopping worker keeps an idle connection open, for a request that may be on its way.
    linger: float = 1.0

    # A new request is rejected while the first in the queue has waited longer than this. A request that has waited
    # twice as long is rejected when its turn comes.
    wait: float = 1.0

    connections: int = 1000

    # Requests that hold more bytes than this, including their heads and the bytes after them, share the limit
    # held_bytes until they are answered. A thousand requests below it hold 16 MB.
    large_bytes: int = 16 * 1024

    # A client that has not sent another `large_bytes` of a large request for this long gives way to one that sends.
    stalled: float = 1.0

    @property
    def held_bytes(self) -> int:
        """Return how many bytes a worker's requests may hold in total. Each of the largest bodies has a head."""
        return max(HELD_BODIES * (self.body_bytes + self.large_bytes), LEAST_HELD_BYTES)

    @staticmethod
    def chunks(body_bytes: int) -> int:
        """Return how many chunks may carry the first `body_bytes` of a body."""
        return FREE_CHUNKS + body_bytes // BYTES_PER_CHUNK
