"""A candidate as it runs: its port, and the CPU time of all its processes."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil

from tests.benchmark.candidates import BODY, WORKERS, Candidate
from tests.support.http_client import exchange
from tests.support.service import environment, free_ports, wait_until
from tests.support.sums import post


class WrongAnswerError(Exception):
    """A candidate does not do what is measured."""


class Running:
    """A candidate that runs."""

    def __init__(self, candidate: Candidate, workers: int, port: int, process: subprocess.Popen[bytes]) -> None:
        self._candidate = candidate
        self._processes = 1 + workers + candidate.helpers
        self._process = process
        self.port = port

    def cpu_seconds(self) -> float:
        """Add up the CPU time of master, workers and helpers, in user and in system mode."""
        tree = self._tree()
        if len(tree) != self._processes:
            raise WrongAnswerError(f"{len(tree)} processes in place of {self._processes}: the CPU time is lost")
        times = [process.cpu_times() for process in tree]
        return sum(time.user + time.system for time in times)

    def has_started(self) -> bool:
        """Tell whether all its processes are there and it answers; raises WrongAnswerError for a wrong answer."""
        assert self._process.poll() is None, f"ended with {self._process.returncode}"
        if len(self._tree()) < self._processes:
            return False
        try:
            answer = exchange(self.port, post(BODY, "Content-Type: application/json"))
        except OSError:
            return False
        if (answer.status, answer.body) != (200, self._candidate.answer):
            raise WrongAnswerError(f"{answer.status} {answer.body!r} in place of {self._candidate.answer!r}")
        return True

    def _tree(self) -> list[psutil.Process]:
        master = psutil.Process(self._process.pid)
        return [master, *master.children(recursive=True)]


@contextmanager
def running(candidate: Candidate, workers: int = WORKERS) -> Iterator[Running]:
    """Run a candidate, with its output in a pipe that is read; it has answered once, rightly."""
    port, metrics_port = free_ports(2)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        last_words = stack.enter_context(tempfile.TemporaryFile())
        server = subprocess.Popen(
            candidate.arguments(port),
            cwd=candidate.folder,
            env=environment(
                PORT=port, METRICS_PORT=metrics_port, WEB_CONCURRENCY=workers, PROMETHEUS_MULTIPROC_DIR=folder
            )
            | dict(candidate.variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        # Reads all there is, and keeps the end of it, which tells why a candidate has not started.
        reader = subprocess.Popen(["tail", "--bytes", "4096"], stdin=server.stdout, stdout=last_words)
        assert server.stdout
        server.stdout.close()
        try:
            result = Running(candidate, workers, port, server)
            wait_until(result.has_started, f"{candidate.name} answers")
            yield result
        except (AssertionError, WrongAnswerError) as error:
            _end(server)
            reader.wait()
            last_words.seek(0)
            raise WrongAnswerError(f"{candidate.name}: {error}\n{last_words.read().decode()}") from error
        finally:
            _end(server)
            reader.wait()


def _end(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
