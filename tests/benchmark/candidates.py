"""The candidates: how each is started, as its own users would in production, and what it answers."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.support.http_client import exchange, post
from tests.support.paths import ROOT
from tests.support.service import PROGRAM, environment, free_ports, wait_until

FOLDER = Path(__file__).resolve().parent / "candidates"
BODY = b'{"data": ["1", "2"]}'
WORKERS = 2

# Four threads: the number of gunicorn's own examples and of most of those that can be found. gthread in preference to
# sync, which keeps no connection open.
GUNICORN = ("-m", "gunicorn", "--workers", str(WORKERS), "--worker-class", "gthread", "--threads", "4")

UVICORN = ("-m", "uvicorn", "--workers", str(WORKERS), "--loop", "uvloop", "--http", "httptools", "--no-access-log")


@dataclass(frozen=True)
class Candidate:
    """A program that adds numbers over HTTP."""

    name: str
    answer: bytes
    command: tuple[str, ...]
    bind: tuple[str, ...] = ("--bind", "127.0.0.1:{port}")
    settings: Mapping[str, str] = field(default_factory=dict)

    def arguments(self, port: int) -> list[str]:
        """Return its command line."""
        return [sys.executable, *self.command, *(word.format(port=port) for word in self.bind)]


OURS = "ours"

CANDIDATES = (
    Candidate("floor", b"3\n", (*GUNICORN, "floor:app")),
    Candidate("naive", b"3.0", (*GUNICORN, "naive:app")),
    Candidate("usual", b"3.0\n", (*GUNICORN, "--config", "usual_gunicorn.py", "usual:app")),
    Candidate("fastapi", b"3.0", (*UVICORN, "fastapi_sum:app"), bind=("--host", "127.0.0.1", "--port", "{port}")),
    Candidate("falcon", b"3.0", (*GUNICORN, "--config", "falcon_gunicorn.py", "falcon_sum:app")),
    Candidate("bare", b"3\n", (*GUNICORN, "bare:app")),
    Candidate(OURS, b"3\n", (str(PROGRAM),), bind=(), settings={"WEB_CONCURRENCY": str(WORKERS)}),
)


class WrongAnswerError(Exception):
    """A candidate does not do what is measured."""


@contextmanager
def serving(candidate: Candidate) -> Iterator[int]:
    """Run a candidate, with its output in a pipe that is read, and give its port; it has answered once, rightly."""
    port, metrics_port = free_ports(2)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        settings = {"PORT": port, "METRICS_PORT": metrics_port, "PROMETHEUS_MULTIPROC_DIR": folder}
        if candidate.name == OURS:
            del settings["PROMETHEUS_MULTIPROC_DIR"]  # It makes a folder of its own.
        last_words = stack.enter_context(tempfile.TemporaryFile())
        server = subprocess.Popen(
            candidate.arguments(port),
            cwd=ROOT if candidate.name == OURS else FOLDER,
            env=environment(**settings, **candidate.settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        # Reads all there is, and keeps the end of it for whoever wants to know why a candidate has not started.
        reader = subprocess.Popen(["tail", "--bytes", "4096"], stdin=server.stdout, stdout=last_words)
        assert server.stdout
        server.stdout.close()
        try:
            wait_until(lambda: _has_started(candidate, server, port), f"{candidate.name} answers")
            yield port
        except (AssertionError, WrongAnswerError) as error:
            _end(server)
            reader.wait()
            last_words.seek(0)
            raise WrongAnswerError(f"{candidate.name}: {error}\n{last_words.read().decode()}") from error
        finally:
            _end(server)
            reader.wait()


def _has_started(candidate: Candidate, server: subprocess.Popen[bytes], port: int) -> bool:
    assert server.poll() is None, f"ended with {server.returncode}"
    if _workers(server) < WORKERS:
        return False
    try:
        answer = exchange(port, post(BODY, "Content-Type: application/json"))
    except OSError:
        return False
    if (answer.status, answer.body) != (200, candidate.answer):
        raise WrongAnswerError(f"{answer.status} {answer.body!r} in place of {candidate.answer!r}")
    return True


def _workers(server: subprocess.Popen[bytes]) -> int:
    return len(psutil.Process(server.pid).children())


def _end(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
