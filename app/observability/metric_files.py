"""The files behind the metrics: one set for each slot, which outlives the slot's workers."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil
from prometheus_client import Metric, values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

# Who writes to a file: the end of its name. Others belong to processes that a view forks, or starts with all of
# os.environ, and end with a process id, as is prometheus_client's default. Nothing reads them. They are removed after
# their processes, or would pile up, 270 kB for each.
MASTER = "master"
SLOT = "slot-"
PREFIX = "app-metrics-"
LOCK = "lock"

# The counters of a slot take 64 KiB, its histograms 128 KiB.
SLOT_BYTES = 192 * 1024


class MetricFiles(Collector):
    """Keeps the values of prometheus_client by slot instead of by process id, and adds them up.

    By default, prometheus_client keeps them by process id: every worker leaves its files behind, and each scrape reads
    them all. Here, a worker that takes over a slot also takes over its files, and continues counting where its
    predecessor stopped.
    """

    def __init__(self, parent: Path, slots: int = 0) -> None:
        """Create the directory; raises OSError if there is no room for the files of `slots` slots."""
        _remove_orphans(parent)
        self.directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        _hold(self.directory)
        self.owner = MASTER
        try:
            self._check_room((slots + 1) * SLOT_BYTES)
        except OSError as error:
            self.remove()
            raise OSError(error.errno, error.strerror, str(parent)) from None
        # prometheus_client reads this variable each time it opens a file.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(self.directory)
        os.unsetenv("PROMETHEUS_MULTIPROC_DIR")  # The programs that a view starts do not inherit it by default.
        values.ValueClass = values.MultiProcessValue(lambda: self.owner)

    def prepare(self, slots: int) -> None:
        """Create the files of `slots` slots, with every series of the master at 0.

        This allocates their memory now. At the first request, there might be none left.
        """
        for file in list(self.directory.glob(f"*_{MASTER}.db")):
            if _is_choice(file):
                continue  # A 0 of a slot without a worker could be chosen.
            first, *others = [file.with_name(file.name.replace(MASTER, slot_owner(slot))) for slot in range(slots)]
            shutil.copyfile(file, first)
            # The master's own files keep what modules have counted while they were imported.
            _write(first, [(key, 0.0, 0.0) for key, *_ in MmapedDict.read_all_values_from_file(first)])
            for other in others:
                shutil.copyfile(first, other)

    def detach(self) -> None:
        """Count in files that nothing reads, in a process that a view has forked: it would overwrite the worker's."""
        self._remove_left()
        self.owner = str(os.getpid())

    def _remove_left(self) -> None:
        for file in self.directory.glob("*.db"):
            if (owner := _owner(file)).isdigit() and not psutil.pid_exists(int(owner)):
                file.unlink(missing_ok=True)

    def _check_room(self, size: int) -> None:
        # The files are mapped into memory. If there is no room for a page, the kernel does not return an error but
        # kills the process (SIGBUS). So check before writing the first page.
        if hasattr(os, "posix_fallocate"):
            with (self.directory / "room").open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
            (self.directory / "room").unlink()

    def collect(self) -> Iterable[Metric]:
        """Add up the values of all slots."""
        self._remove_left()
        own = [file for file in self.directory.glob("*.db") if _owner(file) == MASTER or _owner(file).startswith(SLOT)]
        # A new file is empty until its first write, and would fail the whole scrape.
        return MultiProcessCollector.merge([str(file) for file in own if _size(file) > 0 and not _is_unset(file)])

    def remove(self) -> None:
        """Remove all files. Only for the last process that uses them."""
        shutil.rmtree(self.directory, ignore_errors=True)


def slot_owner(slot: int) -> str:
    """Name the owner of a slot's files."""
    return f"{SLOT}{slot}"


def _hold(directory: Path) -> None:
    # All processes forked from this one share the lock. The kernel releases it when the last of them ends, for whatever
    # reason, so nothing closes the file. The file gets its name only once it is locked, so that no other server can
    # find it unlocked.
    new = directory / f"new-{LOCK}"
    fcntl.flock(os.open(new, os.O_WRONLY | os.O_CREAT), fcntl.LOCK_EX)
    new.rename(directory / LOCK)


def _remove_orphans(parent: Path) -> None:
    # The metrics process removes the folder of a killed master. If both are killed, the folder remains and takes memory
    # as long as the machine or the container runs.
    for path in parent.glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError), path.open("rb") as lock:  # Another user's, or still in use.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.parent)


def _owner(file: Path) -> str:
    return file.stem.rpartition("_")[2]


def _is_choice(file: Path) -> bool:
    """Tell whether the values of a file are gauges of which a scrape chooses one, or shows all, and adds none up."""
    return file.name.startswith("gauge_") and "sum_" not in file.name


def _is_unset(file: Path) -> bool:
    # The master has every gauge at 0. One of its threads may set some later, such as a scheduler's.
    if not (_is_choice(file) and _owner(file) == MASTER):
        return False
    return not any(value for _, value, *_ in MmapedDict.read_all_values_from_file(file))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # Of a gauge "live...", whose worker has just ended.
        return 0


def _write(file: Path, new_values: Iterable[tuple[str, float, float]]) -> None:
    values_of_file = MmapedDict(file)
    for key, value, timestamp, *_ in new_values:
        values_of_file.write_value(key, value, timestamp)
    values_of_file.close()
