"""One small sum in process: the CPU time of a WSGI call of each candidate, and how many instructions it takes."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from statistics import median

from tests.benchmark.running import WrongAnswerError
from tests.support.paths import ROOT
from tests.support.service import environment

PROGRAM = (sys.executable, "-m", "tests.benchmark.calls")

# fastapi is no WSGI application.
NAMES = ("floor", "naive", "usual", "falcon", "bare", "ours")
ANSWERS = {"200 OK 3", "200 OK 3.0"}

WARM_UP_CALLS = 1000


class Caller:
    """A process that calls the application of one candidate, its log in a pipe that is read."""

    def __init__(self, name: str) -> None:
        self._process = subprocess.Popen(
            [*PROGRAM, name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            text=True,
        )
        self._reader = subprocess.Popen(["cat"], stdin=self._process.stdout, stdout=subprocess.DEVNULL)
        self._check(name)
        self.seconds(WARM_UP_CALLS)

    def seconds(self, calls: int) -> float:
        """Return the CPU seconds of one call, the mean of several."""
        assert self._process.stdin
        self._process.stdin.write(f"{calls}\n")
        self._process.stdin.flush()
        return float(self._line()) / calls

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
        self._reader.wait()

    def _line(self) -> str:
        assert self._process.stderr
        return self._process.stderr.readline()

    def _check(self, name: str) -> None:
        answer = self._line().strip()
        if answer not in ANSWERS:
            _, rest = self._process.communicate()
            raise WrongAnswerError(f"{name}: {answer} {rest}")


@contextmanager
def callers(names: Iterable[str]) -> Iterator[dict[str, Caller]]:
    """Start a process for each candidate."""
    with ExitStack() as stack:
        result = {}
        for name in names:
            result[name] = Caller(name)
            stack.callback(result[name].close)
        yield result


@contextmanager
def on_one_cpu() -> Iterator[None]:
    """Keep what is started meanwhile on one CPU."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cpus)


def measure(starts: int, turns: int, calls: int, *, shares_cpu: bool) -> dict[str, float]:
    """Measure the CPU seconds of one call: medians of turns, in processes that are started anew a few times.

    With `shares_cpu` the reader of the log is on the CPU of the caller. Elsewhere it sleeps before each line, and to
    wake up a CPU takes the writer 20 us on a virtual machine: a matter of the machine, and under load no CPU sleeps.
    """
    seconds: dict[str, list[float]] = {name: [] for name in NAMES}
    for _ in range(starts):
        with on_one_cpu() if shares_cpu else nullcontext(), callers(NAMES) as processes:
            for _ in range(turns):
                for name, process in processes.items():
                    seconds[name].append(process.seconds(calls))
    return {name: median(values) for name, values in seconds.items()}


def instructions(names: Iterable[str], calls: int) -> dict[str, int]:
    """Count the instructions of one call: the difference between `calls` and twice as many, without the start."""
    jobs = [(name, number) for name in names for number in (calls, 2 * calls)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = dict(zip(jobs, pool.map(_count, *zip(*jobs, strict=True)), strict=True))
    return {name: (counts[name, 2 * calls] - counts[name, calls]) // calls for name in names}


def _count(name: str, calls: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "callgrind.out"
        subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={file}", *PROGRAM, name],
            cwd=ROOT,
            input=f"{calls}\n".encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # The same hashes in each run: the number is then repeatable to a few in a thousand.
            env=environment(PYTHONHASHSEED="0"),
            check=True,
        )
        return parse_total(file.read_text())


def parse_total(text: str) -> int:
    """Read the sum of the instructions from callgrind's file."""
    (line,) = [line for line in text.splitlines() if line.startswith("totals:")]
    return int(line.split()[1])
