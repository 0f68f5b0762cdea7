"""Requests per second and their latency, by wrk, with 16 connections that are kept alive."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.benchmark.candidates import CANDIDATES, WrongAnswerError, serving

SCRIPT = Path(__file__).resolve().parent / "wrk.lua"
CONNECTIONS = 16

# One thread of wrk sends more than two workers on two cores can answer, and takes least of the machine from them.
COMMAND = ("wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--script", str(SCRIPT))


@dataclass(frozen=True)
class Load:
    """What wrk has seen of a server."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int

    @property
    def per_second(self) -> float:
        """The rate of the requests."""
        return self.requests / self.seconds


def parse(output: str) -> Load:
    """Read what wrk has printed: its own table, and the line of wrk.lua at the end."""
    return Load(**json.loads(output.splitlines()[-1]))


def start(port: int, seconds: int) -> subprocess.Popen[str]:
    """Begin to load a server of this machine."""
    command = [*COMMAND, "--duration", f"{seconds}s", f"http://127.0.0.1:{port}/"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def load(port: int, seconds: int) -> Load:
    """Load a server of this machine; each request must be answered with a success."""
    with start(port, seconds) as wrk:
        output, _ = wrk.communicate()
    if wrk.returncode != 0:
        raise WrongAnswerError(f"wrk has ended with {wrk.returncode}: {output}")
    result = parse(output)
    if result.errors or not result.requests:
        raise WrongAnswerError(f"{result.errors} errors, {result.requests} requests")
    return result


def measure(rounds: int, seconds: int, warm_up_seconds: int) -> dict[str, list[Load]]:
    """Load each candidate in turn, round after round, started anew each time: no two starts are alike."""
    results: dict[str, list[Load]] = {candidate.name: [] for candidate in CANDIDATES}
    for _ in range(rounds):
        for candidate in CANDIDATES:
            with serving(candidate) as port:
                if warm_up_seconds:
                    load(port, warm_up_seconds)
                results[candidate.name].append(load(port, seconds))
    return results
