"""The memory of a service while clients send it something."""

import threading
from contextlib import suppress
from pathlib import Path

import psutil

from tests.support.http_client import Client
from tests.support.service import Service

CAN_BE_TOLD = Path("/proc/self/smaps_rollup").exists()

CONTAINER_BYTES = 128 * 1000 * 1000
CLIENTS = 8


def proportional_bytes(service: Service) -> int:
    """Measure the memory of all processes, with what they share counted once."""
    total = 0
    for process in service.tree():
        with suppress(OSError):
            for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def peak_bytes(service: Service, request: bytes) -> int:
    """Let eight clients send a request at once, and return the most memory that was seen meanwhile."""
    done = threading.Event()
    measured = [proportional_bytes(service)]

    def measure() -> None:
        with suppress(psutil.NoSuchProcess):
            while not done.wait(0.002):
                measured.append(proportional_bytes(service))

    def ask() -> None:
        with Client(service.port) as client:
            client.ask(request)

    observer = threading.Thread(target=measure)
    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in (observer, *clients):
        thread.start()
    for thread in clients:
        thread.join()
    done.set()
    observer.join()
    return max(measured)
