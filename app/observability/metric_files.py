"""The files behind the metrics: one set for each slot, which outlives the workers that use it."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from prometheus_client import Metric, values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

MASTER = "master"
PREFIX = "app-metrics-"
LOCK = "lock"

# The counters of a slot take 64 KiB, its histograms 128 KiB.
SLOT_BYTES = 192 * 1024


class MetricFiles(Collector):
    """Keeps the values of prometheus_client by slot instead of by process id, and adds them up.

    By process id, as prometheus_client does it by default, each worker that ever lived leaves its files behind, and
    every scrape reads them all. A worker that takes over a slot takes over its files, too, and goes on counting from
    where its predecessor stopped.
    """

    def __init__(self, parent: Path, slots: int = 0) -> None:
        """Make the directory; raises OSError where there is no room for the files of `slots` slots."""
        _remove_orphans(parent)
        self.directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        _hold(self.directory)
        self.owner = MASTER
        try:
            self._check_room((slots + 1) * SLOT_BYTES)
        except OSError as error:
            self.remove()
            raise OSError(error.errno, error.strerror, str(parent)) from None
        # Where prometheus_client looks each time that it opens a file.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(self.directory)
        values.ValueClass = values.MultiProcessValue(lambda: self.owner)

    def prepare(self, slots: int) -> None:
        """Make the files of `slots` slots, with every series of the master process at 0.

        They take their memory now. Taken at the first request, it could be missing then.
        """
        for file in list(self.directory.glob(f"*_{MASTER}.db")):
            first, *others = [file.with_name(file.name.replace(MASTER, str(slot))) for slot in range(slots)]
            shutil.copyfile(file, first)
            # What a module counts while it is imported, the master has counted: once.
            zeros = MmapedDict(first)
            for key, _, _ in list(zeros.read_all_values()):
                zeros.write_value(key, 0.0, 0.0)
            zeros.close()
            for other in others:
                shutil.copyfile(first, other)

    def _check_room(self, size: int) -> None:
        # The files are mapped into memory. Where there is no room for a page, the kernel does not refuse to write it
        # but kills the process (SIGBUS): that must come out before the first page is written.
        if hasattr(os, "posix_fallocate"):
            with (self.directory / "room").open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
            (self.directory / "room").unlink()

    def collect(self) -> Iterable[Metric]:
        """Add up the values of all slots."""
        # Between its creation and its first byte a file is empty, and would fail the whole scrape.
        files = [str(file) for file in self.directory.glob("*.db") if file.stat().st_size > 0]
        return MultiProcessCollector.merge(files)

    def remove(self) -> None:
        """Remove all files. For the last process that uses them."""
        shutil.rmtree(self.directory, ignore_errors=True)


def _hold(directory: Path) -> None:
    # All processes that are forked from this one share the lock; the kernel lets go of it when the last of them is
    # gone, however it has ended, which is why it is never closed. The file has its name only once it is locked, so that
    # no other server finds it free in between.
    new = directory / f"new-{LOCK}"
    fcntl.flock(os.open(new, os.O_WRONLY | os.O_CREAT), fcntl.LOCK_EX)
    new.rename(directory / LOCK)


def _remove_orphans(parent: Path) -> None:
    # The process of the metrics removes the folder of a master that is killed. Where both are killed, the folder is
    # left, and takes memory as long as the machine or the container lives.
    for path in parent.glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError), path.open("rb") as lock:  # Another user's, or still in use.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.parent)
