"""The memory of a service."""

from contextlib import suppress
from pathlib import Path

from service import Service


def proportional_bytes(service: Service) -> int:
    """Measure the memory of all processes, with what they share counted once."""
    total = 0
    for process in service.tree():
        with suppress(OSError):
            for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total
