"""The candidates: how each is started, as its own users would in production, and what it answers."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.support.paths import ROOT

FOLDER = Path(__file__).resolve().parent / "candidates"
BODY = b'{"data": ["1", "2"]}'

# gunicorn, uvicorn and the service all take the number of workers from WEB_CONCURRENCY.
WORKERS = 2

GUNICORN = ("-m", "gunicorn", "--bind", "127.0.0.1:{port}")

# Four threads: the number of gunicorn's own examples and of most of those that can be found.
GTHREAD = (*GUNICORN, "--worker-class", "gthread", "--threads", "4")
SYNC = (*GUNICORN, "--worker-class", "sync")

UVICORN = ("-m", "uvicorn", "--port", "{port}", "--loop", "uvloop", "--http", "httptools", "--no-access-log")


@dataclass(frozen=True)
class Candidate:
    """A program that adds numbers over HTTP, with variables of its environment.

    `helpers` are the processes that its master starts beside the workers.
    """

    name: str
    answer: bytes
    command: tuple[str, ...]
    folder: Path = FOLDER
    helpers: int = 0
    variables: Mapping[str, str] = field(default_factory=dict)

    def arguments(self, port: int) -> list[str]:
        """Return its command line."""
        return [sys.executable, *(word.format(port=port) for word in self.command)]


def ours_of(name: str, root: Path) -> Candidate:
    """Make a candidate of a tree of this project."""
    return Candidate(name, b"3\n", ("app/app.py",), folder=root, helpers=1)


OURS = ours_of("ours", ROOT)


def traced(endpoint: str) -> Candidate:
    """Make a candidate of this service with a span of each request, for the collector at an address."""
    return replace(OURS, name="ours with traces", variables={"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})


NAIVE = Candidate("naive", b"3.0", (*GTHREAD, "naive:app"))

CANDIDATES = (
    NAIVE,
    Candidate("naive on sync", b"3.0", (*SYNC, "naive:app")),
    Candidate("usual", b"3.0\n", (*GTHREAD, "--config", "usual_gunicorn.py", "usual:app")),
    Candidate("fastapi", b"3.0", (*UVICORN, "fastapi_sum:app"), helpers=1),
    Candidate("falcon", b"3.0", (*GTHREAD, "--config", "falcon_gunicorn.py", "falcon_sum:app")),
    Candidate("bare", b"3\n", (*GTHREAD, "bare:app")),
    OURS,
)
