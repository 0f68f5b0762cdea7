"""What the service needs runs out while it works: it goes on with what is left, and is whole again afterwards."""

import errno
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.support import example
from tests.support.http_client import Client, exchange, post
from tests.support.load import Load, check_agreement
from tests.support.scraping import REQUESTS, scrape
from tests.support.service import Service, running, wait_until, wait_until_all_serve

DESCRIPTORS = 64

# How often a disk becomes full.
FILLS = 40


@contextmanager
def small_file_system(folder: Path, kilobytes: int) -> Iterator[Path]:
    """Mount a file system in memory that takes so much and no more."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no byte free."""
    path = folder / "filling"
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return path


def ask(service: Service, times: int) -> None:
    """Ask this number of times."""
    with Client(service.port) as client:
        assert {example.ANSWER} == {client.ask(example.REQUEST).body for _ in range(times)}


def test_no_shared_memory_at_the_start(output: Path, tmp_path: Path) -> None:
    """A shared memory that is too small ends the start with status 73 and one line."""
    with small_file_system(tmp_path / "shm", 256) as folder:
        status, line = Service(output, {"WEB_CONCURRENCY": 2}, arguments=["--shared-memory", folder]).refusal()
        assert (73, []) == (status, list(folder.iterdir()))
    expected = ("critical", f"cannot create the metric files in {folder}: {os.strerror(errno.ENOSPC)}")
    assert expected == (line["level"], line["event"])


def test_shared_memory_that_becomes_full(output: Path, tmp_path: Path) -> None:
    """Another program fills the shared memory under load: everything is served and counted, by new workers too."""
    with (
        small_file_system(tmp_path / "shm", 4096) as folder,
        running(output, arguments=["--shared-memory", folder]) as service,
    ):
        load = Load(service.port)
        with load.running():
            wait_until(lambda: len(load.answers) > 500, "there is a load")
            fill(folder)
            full = len(load.answers)
            wait_until(lambda: len(load.answers) > full + 500, "the load goes on")
        lines, counts = check_agreement(service, load)
        assert ([], {}, {200}) == (load.refused, load.lost, set(load.answers.values()))
        assert lines == counts == len(load.answers)
        before = scrape(service).total(REQUESTS)
        for pid in service.workers():
            os.kill(pid, 9)
        ask(service, 10)
        assert before + 10 == scrape(service).total(REQUESTS)
        print({"answered": lines, "counted": counts})  # noqa: T201


def test_out_of_descriptors_under_load(output: Path) -> None:
    """Clients that hold more connections than there are descriptors keep no load from its answers."""
    with running(output) as service, ExitStack() as stack:
        for worker in service.workers():
            psutil.Process(worker).rlimit(psutil.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        # libuv opens some of its descriptors with the first connection.
        wait_until_all_serve(service)
        wait_until(lambda: scrape(service).samples["http_connections"] == 0, "all connections are closed")
        before = descriptors(service)
        load = Load(service.port)
        with load.running():
            idle = [stack.enter_context(Client(service.port)) for _ in range(4 * DESCRIPTORS)]
            begun = len(load.answers)
            wait_until(lambda: len(load.answers) > begun + 2000, "the load goes on")
        lines, counts = check_agreement(service, load)
        assert scrape(service).status == 200
        # A client of the load is idle for a moment between two requests, and may have to give way like any other one.
        assert {200} == set(load.answers.values())
        for client in idle:
            client.close()
        wait_until(lambda: descriptors(service) <= before, "all descriptors are free again")
        ask(service, 10)
        print({"idle": len(idle), "answered": len(load.answers), "cut off": len(load.lost), "lines": lines})  # noqa: T201
        assert lines == counts == len(load.answers)


def descriptors(service: Service) -> int:
    """Count the descriptors of all processes."""
    return sum(process.num_fds() for process in service.tree())


def test_a_disk_that_becomes_full(output: Path, tmp_path: Path) -> None:
    """The file that takes the log has no more room: lines are dropped and counted, and none is broken afterwards."""
    with small_file_system(tmp_path / "disk", 64) as folder, (folder / "log").open("ab") as log:
        with running(folder / "log", stdout=log.fileno(), WEB_CONCURRENCY=1) as service:
            ask(service, 500)
            dropped = scrape(service).samples["log_lines_dropped_total"]
            assert 0 < dropped < 500
            subprocess.run(["mount", "-o", "remount,size=1m", str(folder)], check=True)
            ask(service, 10)
            assert dropped == scrape(service).samples["log_lines_dropped_total"]
            assert service.stop() == 0
        lines = service.lines()
        # A line that announces the gap may find no room either, behind a shorter one of a request that did.
        assert sum(line["event"] == "request" for line in lines) + dropped in range(510, 513)
        assert [dropped] == [line["lines"] for line in lines if line["event"] == "log lines dropped"]
    assert not output.exists()


def test_a_disk_that_fills_again_and_again(output: Path, tmp_path: Path) -> None:
    """Two workers write to a disk that is full, has some room, and is full again: each line is one object of JSON."""
    with small_file_system(tmp_path / "disk", 64) as folder, (folder / "log").open("ab") as log:
        with running(folder / "log", stdout=log.fileno()) as service:
            wait_until_all_serve(service)
            load = Load(service.port)
            dropped = 0.0
            with load.running():
                for kilobytes in range(68, 68 + 4 * FILLS, 4):
                    before = dropped
                    wait_until(lambda: dropped_lines(service) > before, "the disk is full")  # noqa: B023
                    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", str(folder)], check=True)
                    dropped = dropped_lines(service)
            dropped = dropped_lines(service)
            assert service.stop() == 0
        lines = service.lines()
        workers = {line["pid"] for line in service.requests()}
        logged = len(service.requests(method=example.METHOD, route=example.ROUTE))
    print({"lines": len(lines), "answered": len(load.answers), "dropped": dropped})  # noqa: T201
    assert len(workers) == 2
    # Each announcement of a gap may itself have found no room.
    assert len(load.answers) <= logged + dropped <= len(load.answers) + 2 * FILLS
    assert not output.exists()


def dropped_lines(service: Service) -> float:
    """Tell how many lines have found no room."""
    return scrape(service).samples["log_lines_dropped_total"]


def limit_memory(kilobytes: int) -> Callable[[], None]:
    """Give each process so much address space."""
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (kilobytes * 1024, kilobytes * 1024))


@pytest.mark.parametrize("size", [1024 * 1024 - 64])
def test_out_of_memory_in_a_worker(output: Path, size: int) -> None:
    """A worker that gets no more memory for a large body answers 500 or ends, and the next request is served."""
    body = b"x" * size
    kilobytes = 0
    with running(output, arguments=[], WEB_CONCURRENCY=1) as service:
        kilobytes = psutil.Process(service.workers()[0]).memory_info().vms // 1024 + 3 * 1024
    with running(output, arguments=[], WEB_CONCURRENCY=1, preexec=limit_memory(kilobytes)) as service:
        for _ in range(3):
            with suppress(ConnectionError):
                assert exchange(service.port, post(body)).status in {200, 500}
            ask(service, 10)
        assert scrape(service).status == 200
