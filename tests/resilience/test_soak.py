"""A million requests leave nothing behind: neither memory, nor descriptors, nor threads, nor files."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import example
from tests.support.load import CLIENTS
from tests.support.scraping import REQUESTS, metrics_folder, scrape
from tests.support.service import Service, running, wait_until, wait_until_all_serve

WARM_UP = 10_000
WARM_UP_SCRAPES = 100
MANY = 1_000_000
ROUND_SECONDS = 5

# A megabyte for each of the four processes: what its allocator keeps from one moment to the next, and pages that it has
# shared with the master until it first wrote to them.
MEMORY_TOLERANCE = 4 * 1024 * 1024

SCRIPT = f"""
wrk.method = "{example.METHOD}"
wrk.path = "{example.ROUTE}"
wrk.body = '{example.BODY.decode()}'
"""


def memory(pid: int) -> int:
    """Read how much memory is a process's own, its part of what it shares with its siblings included.

    Without the pages of files: of these, the part depends on who else on the machine uses the same libraries.
    """
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * sum(map(int, re.findall(r"^Pss_(?:Anon|Shmem): +(\d+) kB", rollup, re.MULTILINE)))


@dataclass(frozen=True)
class State:
    """What the processes of a service hold."""

    memory: int
    descriptors: int
    threads: int
    files: tuple[str, ...]

    @classmethod
    def of(cls, service: Service) -> "State":
        """Look at all processes."""
        processes = service.tree()
        return cls(
            memory=sum(memory(process.pid) for process in processes),
            descriptors=sum(process.num_fds() for process in processes),
            threads=sum(process.num_threads() for process in processes),
            files=tuple(sorted(f"{path.name} {path.stat().st_size}" for path in metrics_folder(service).iterdir())),
        )


@contextmanager
def line_counter(count: Path) -> Iterator[int]:
    """Count the lines of requests that come through a pipe; a million of them need not be kept."""
    reading, writing = os.pipe()
    with count.open("wb") as file:
        process = subprocess.Popen(["grep", "--count", '"event":"request"'], stdin=reading, stdout=file)
    os.close(reading)
    try:
        yield writing
    finally:
        os.close(writing)
        assert process.wait() == 0


def soak(service: Service, script: Path, requests: int) -> int:
    """Send at least this number of requests; return how many have been counted since the start."""
    while (counted := int(scrape(service).total(REQUESTS))) < requests:
        command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{ROUND_SECONDS}", "-s", str(script)]
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{service.port}/"], check=True, capture_output=True, text=True
        )
        assert "Non-2xx" not in done.stdout
        assert "Socket errors" not in done.stdout
    return counted


def settled(service: Service) -> State:
    """Wait until the clients have gone, and look."""

    def is_alone() -> bool:
        return not [c for process in service.tree() for c in process.net_connections() if c.raddr]

    wait_until(is_alone, "no client is connected")
    return State.of(service)


def test_a_million_requests(output: Path, tmp_path: Path) -> None:
    """After a million requests everything is where it was after the first ten thousand, and each has its line."""
    if shutil.which("wrk") is None:
        pytest.skip("no wrk: apt-get install wrk")
    script, count = tmp_path / "sum.lua", tmp_path / "count"
    script.write_text(SCRIPT)
    with line_counter(count) as stdout, running(output, stdout=stdout) as service:
        wait_until_all_serve(service)  # libuv opens some of a worker's descriptors with its first client.
        soak(service, script, WARM_UP)
        for _ in range(WARM_UP_SCRAPES):
            scrape(service)
        before = settled(service)
        soak(service, script, MANY)
        after = settled(service)
        metrics = scrape(service)
        assert 0 == metrics.samples["http_requests_in_progress"]
        counted = metrics.samples[f'{REQUESTS}{{method="POST",route="/",status="200"}}']
        dropped = metrics.samples["log_lines_dropped_total"]
    print(before, after, {"requests": counted, "dropped": dropped, "lines": int(count.read_text())})  # noqa: T201
    assert counted == int(count.read_text()) + dropped
    assert (before.descriptors, before.threads, before.files) == (after.descriptors, after.threads, after.files)
    assert after.memory <= before.memory + MEMORY_TOLERANCE
