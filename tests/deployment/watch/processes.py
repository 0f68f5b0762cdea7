"""The service and a Prometheus that watches it, as processes of a test."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest

from tests.support.paths import ROOT

T = TypeVar("T")

CONFIG = ROOT / "config" / "prometheus"

READY = 200

# What a test cannot wait for is shortened in a copy; expressions, thresholds, windows and labels stay as shipped.
SHORTER = (
    (re.compile(r"^(\s*(?:scrape_interval|scrape_timeout|evaluation_interval|interval):) .*$", re.MULTILINE), r"\1 1s"),
    (re.compile(r"^(\s*for:) .*$", re.MULTILINE), r"\1 2s"),
)


def require(program: str, package: str) -> str:
    """Return the program's path, or skip with what to install."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is missing: apt-get install {package}")
    return path


def free_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def wait_until(what: Callable[[], T], condition: Callable[[T], bool], seconds: float = 60) -> T:
    """Ask until the condition holds, and return the last answer either way, for the assertion to show."""
    limit = time.monotonic() + seconds
    answer = what()
    while not condition(answer) and time.monotonic() < limit:
        time.sleep(0.1)
        answer = what()
    return answer


def status_of(url: str, body: bytes | None = None, method: str | None = None) -> int:
    """Send one request and return the answer's status, 0 where there is no answer."""
    request = urllib.request.Request(url, data=body, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            answer.read()
            status: int = answer.status
    except urllib.error.HTTPError as error:
        with error:
            status = error.code
    except OSError:
        status = 0
    return status


class Process:
    """A child process with its output in a file, ended by its own id."""

    def __init__(self, arguments: list[str], output: Path, environment: dict[str, str] | None = None) -> None:
        """Remember the command; nothing runs before `with`."""
        self.arguments, self.output, self.environment = arguments, output, environment
        self.child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        with self.output.open("ab") as log:
            self.child = subprocess.Popen(self.arguments, stdout=log, stderr=log, env=self.environment)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def stop(self) -> None:
        """Stop it as Docker does; a second time does nothing."""
        if self.child is None:
            return
        self.child.terminate()
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.child = None


class Service(Process):
    """The application, started as docs/operations/monitoring.md says."""

    def __init__(self, folder: Path) -> None:
        """Choose the ports once, so that a second start is found at the same address."""
        self.port, self.metrics_port = free_port(), free_port()
        settings = {"PORT": str(self.port), "METRICS_PORT": str(self.metrics_port), "WEB_CONCURRENCY": "2"}
        super().__init__(
            [sys.executable, str(ROOT / "app" / "app.py")], folder / "service.log", {**os.environ, **settings}
        )

    def __enter__(self) -> Self:
        """Start it and wait until it is ready."""
        super().__enter__()
        status = wait_until(lambda: status_of(self.url("/readyz")), lambda status: status == READY)
        if status != READY:
            self.stop()
            pytest.fail(f"the service is not ready: {self.output.read_text()}")
        return self

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def metrics(self) -> bytes:
        """Return what a scrape gets."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as answer:
            body: bytes = answer.read()
            return body


class Prometheus(Process):
    """Prometheus with a copy of the shipped configuration, shortened by SHORTER and nothing else."""

    def __init__(self, folder: Path, target: str, program: str) -> None:
        """Write the copy."""
        self.port = free_port()
        copy = folder / "prometheus"
        shutil.copytree(CONFIG, copy)
        for path in (copy / "prometheus.yml", *(copy / "rules").iterdir()):
            text = path.read_text()
            for pattern, replacement in SHORTER:
                text = pattern.sub(replacement, text)
            path.write_text(text)
        (copy / "targets" / "localhost.yml").write_text(f"- targets: ['{target}']\n")
        super().__init__(
            [
                require(program, "prometheus"),
                f"--config.file={copy / 'prometheus.yml'}",
                f"--web.console.templates={CONFIG / 'consoles'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            folder / "prometheus.log",
        )

    def __enter__(self) -> Self:
        """Start it and wait until it has scraped the target once."""
        super().__enter__()
        wait_until(lambda: status_of(f"http://127.0.0.1:{self.port}/-/ready"), lambda status: status == READY)
        if wait_until(lambda: self.values("up"), lambda values: values == [1]) != [1]:
            self.stop()
            pytest.fail(f"Prometheus has not scraped the service: {self.output.read_text()}")
        return self

    def get(self, path: str) -> str:
        """Return a page."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    def api(self, path: str) -> Any:
        """Return the data of an API answer."""
        return json.loads(self.get(f"/api/v1/{path}"))["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return the labels and the value of each series that the expression yields now."""
        result = self.api(f"query?{urllib.parse.urlencode({'query': expression})}")["result"]
        return [(series["metric"], float(series["value"][1])) for series in result]

    def values(self, expression: str) -> list[float]:
        """Return the values alone."""
        return [value for _, value in self.query(expression)]

    def rules(self, kind: str) -> list[dict[str, Any]]:
        """Return the rules of a kind, `recording` or `alerting`."""
        return [rule for group in self.api("rules")["groups"] for rule in group["rules"] if rule["type"] == kind]

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        return {rule["name"] for rule in self.rules("alerting") if rule["state"] == "firing"}
