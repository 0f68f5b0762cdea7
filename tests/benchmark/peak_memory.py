"""Memory: the peak of a worker above its rest during one large body, and that of the whole tree at rest."""

import os
import re
import signal
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.benchmark.candidates import BODY, WORKERS
from tests.benchmark.cost import MEBIBYTE
from tests.benchmark.costly_bodies import COSTLY
from tests.benchmark.running import WrongAnswerError
from tests.support.http_client import Answer, Client
from tests.support.memory import proportional_bytes
from tests.support.service import Service, running, wait_until_workers
from tests.support.sums import post

# What takes most of all kinds of cost.py; all of them would take ten minutes.
COSTLIEST = {
    name: COSTLY[name]
    for name in (
        "integers of 4 digits and one of 20",
        "null at the end",
        "one string of the whole size",
        "tiny exponents",
    )
}

# What is imported and allocated at the first requests is not to be taken for the body's.
WARM_UP_REQUESTS = 100


def at_rest() -> int:
    """Measure the memory of all processes, with two workers that have answered some requests, in bytes."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "output") as service:
        wait_until_workers(service, WORKERS)
        _warm_up(service)
        return proportional_bytes(service)


def peaks(kinds: Mapping[str, Callable[[int], bytes]], mebibytes: int) -> dict[str, float]:
    """Measure the peak of the worker above rest for a body of each kind, as a multiple of the body."""
    results = {}
    size = mebibytes * MEBIBYTE
    settings = {"WEB_CONCURRENCY": 1, "MAX_BODY_BYTES": size}
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "output", **settings) as service:
        for name, make in kinds.items():
            body = make(size)
            results[name] = _peak(service, body) / len(body)
    return results


def _peak(service: Service, body: bytes) -> int:
    (worker,) = wait_until_workers(service, 1)
    _warm_up(service)
    Path(f"/proc/{worker}/clear_refs").write_text("5")  # Forgets the highest mark so far.
    rest = _status_bytes(worker, "VmRSS")
    with Client(service.port) as client:
        _check(client.ask(post(body)), {200, 400, 422})
    peak = _status_bytes(worker, "VmHWM")
    # Each body has a worker of its own: what one has taken is not always given back.
    os.kill(worker, signal.SIGKILL)
    wait_until_workers(service, 1, other_than={worker})
    return peak - rest


def _warm_up(service: Service) -> None:
    for _ in range(WARM_UP_REQUESTS):
        with Client(service.port) as client:
            _check(client.ask(post(BODY)), {200})


def _check(answer: Answer, statuses: set[int]) -> None:
    if answer.status not in statuses:
        raise WrongAnswerError(f"{answer.status} {answer.body[:200]!r}")


def _status_bytes(process: int, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    assert found, name
    return int(found[1]) * 1024
