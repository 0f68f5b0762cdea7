"""Requests to a candidate by wrk: how many in a second, how long each takes, and what CPU time it costs."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmark.running import Running, WrongAnswerError

SCRIPT = Path(__file__).resolve().parent / "wrk.lua"

# One thread of wrk sends more than two workers on two cores can answer, and takes least of the machine from them.
COMMAND = ("wrk", "--threads", "1", "--script", str(SCRIPT))


@dataclass(frozen=True)
class Clients:
    """Clients that each ask on one connection, or on a new one for each request."""

    number: int
    options: tuple[str, ...] = ()


KEEPING = Clients(16)
CLOSING = Clients(8, ("--header", "Connection: close"))


@dataclass(frozen=True)
class Load:
    """What wrk has seen of a server, and the CPU seconds that its processes have taken meanwhile."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """The rate of the requests."""
        return self.requests / self.seconds

    @property
    def cpu_us(self) -> float:
        """The CPU time of one request, in microseconds."""
        return self.cpu_seconds / self.requests * 1e6


def parse(output: str) -> dict[str, Any]:
    """Read what wrk has printed: its own table, and the line of wrk.lua at the end."""
    members: dict[str, Any] = json.loads(output.splitlines()[-1])
    return members


def start(port: int, clients: Clients, seconds: int) -> subprocess.Popen[str]:
    """Begin to load a server of this machine."""
    command = [*COMMAND, "--connections", str(clients.number), *clients.options, "--duration", f"{seconds}s"]
    return subprocess.Popen([*command, f"http://127.0.0.1:{port}/"], stdout=subprocess.PIPE, text=True)


def load(server: Running, clients: Clients, seconds: int) -> Load:
    """Load a candidate; raises WrongAnswerError where a request is not answered with a success."""
    cpu_seconds = server.cpu_seconds()
    with start(server.port, clients, seconds) as wrk:
        output, _ = wrk.communicate()
    if wrk.returncode != 0:
        raise WrongAnswerError(f"wrk has ended with {wrk.returncode}: {output}")
    result = Load(**parse(output), cpu_seconds=server.cpu_seconds() - cpu_seconds)
    if result.errors or not result.requests:
        raise WrongAnswerError(f"{result.errors} errors, {result.requests} requests")
    return result
