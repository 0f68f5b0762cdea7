"""What the kernel knows of connections."""

from pathlib import Path


def bytes_in_flight(port: int) -> int:
    """Count what the kernel holds for a port: sent and not received, received and not read."""
    # Where there is no such table, as on a Mac, nothing is known to be on its way.
    tables = [path for path in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")) if path.exists()]
    rows = [line.split() for table in tables for line in table.read_text().splitlines()[1:]]
    queues = [
        row[4] for row in rows if f"{port:04X}" in {row[1].split(":")[1], row[2].split(":")[1]} and row[3] == "01"
    ]
    return sum(int(size, 16) for queue in queues for size in queue.split(":"))
