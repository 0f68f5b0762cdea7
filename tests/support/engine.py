"""A Docker engine, as a person at a terminal uses it: each call is one command line."""

import functools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.support import example
from tests.support.paths import NAME, ROOT

HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


def clients() -> Iterator[str]:
    """List the Docker clients: a new one without buildx cannot use BuildKit, while an older one beside it can."""
    places = os.environ["PATH"].split(os.pathsep)
    yield from dict.fromkeys(path for place in places if (path := shutil.which("docker", path=place)))


def run(*arguments: str | Path, client: str = "docker", check: bool = True, **options: Any) -> str:
    """Run one Docker command and return what it prints."""
    done = subprocess.run([client, *arguments], check=False, capture_output=True, text=True, **options)
    if check and done.returncode != 0:
        message = f"docker {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}"
        raise RuntimeError(message)
    return str(done.stdout)


@functools.cache
def buildkit() -> str | None:
    """Find a client with which BuildKit works."""
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    for client in clients():
        trial = subprocess.run(
            [client, "build", "--quiet", "-"],
            input=b"FROM scratch\nLABEL trial=1",
            check=False,
            capture_output=True,
            env=environment,
        )
        if trial.returncode == 0:
            return client
    return None


def build(tag: str, *options: str, with_buildkit: bool = False, context: Path = ROOT) -> str:
    """Build the image and return its identity."""
    client = (buildkit() if with_buildkit else None) or "docker"
    environment = {**os.environ, "DOCKER_BUILDKIT": "1" if with_buildkit else "0"}
    run("build", context, "--tag", tag, *options, client=client, env=environment)
    return run("image", "inspect", "--format", "{{.Id}}", tag).strip()


def inspect(name: str) -> dict[str, Any]:
    """Read all that the engine knows of an image or a container."""
    found: dict[str, Any] = json.loads(run("inspect", name))[0]
    return found


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait for a condition, but not for ever."""
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            message = f"not within {seconds} s: {condition}"
            raise TimeoutError(message)
        time.sleep(0.05)


class Container:
    """A running container of the service."""

    def __init__(self, *options: str, image: str = f"{NAME}:latest") -> None:
        """Start it."""
        self.name = run("run", "--detach", *options, image).strip()

    def remove(self) -> None:
        """Take it away, whatever state it is in."""
        run("rm", "--force", "--volumes", self.name)

    def state(self) -> dict[str, Any]:
        """Tell how it fares."""
        state: dict[str, Any] = inspect(self.name)["State"]
        return state

    def health(self) -> str:
        """Tell what the health check found: starting, healthy, unhealthy."""
        status: str = self.state()["Health"]["Status"]
        return status

    def python(self, program: str, *arguments: str) -> str:
        """Run a program inside, with the only interpreter that is there."""
        return run("exec", self.name, "/opt/venv/bin/python", "-c", program, *arguments)

    def log(self) -> list[dict[str, Any]]:
        """Read every line that it has printed, on both outputs. Each must be JSON."""
        command = ["docker", "logs", self.name]
        lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
        return [json.loads(line) for line in lines.splitlines()]

    def port(self, inside: int = 5000) -> int:
        """Tell on which port of the loopback interface a published port answers."""
        return int(run("port", self.name, f"{inside}/tcp").split()[0].rpartition(":")[2])

    def ask(self, method: str, path: str, body: str | None = None, inside: int = 5000) -> tuple[int, str]:
        """Send one request through the published port."""
        connection = HTTPConnection("127.0.0.1", self.port(inside), timeout=5)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def serves(self) -> bool:
        """Tell whether the example is answered as it should be."""
        served = self.ask(example.METHOD, example.ROUTE, example.BODY.decode())
        return served == (200, example.ANSWER.decode())

    def answers(self) -> bool:
        """Tell whether it is ready."""
        try:
            return self.ask("GET", "/readyz")[0] == 200
        except OSError:
            return False


Start = Callable[..., Container]
