"""A machine that Vagrant boots from a copy of this project."""

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import example
from tests.support.paths import NAME


@dataclass(frozen=True)
class Machine:
    """The project's copy, what Vagrant gets as its environment, and the two ports on this host."""

    project: Path
    environment: dict[str, str]
    port: int
    metrics_port: int

    def vagrant(self, *arguments: str, **environment: str) -> str:
        """Run a Vagrant command and return what it prints; a failure shows all of it."""
        log = self.project.parent / "vagrant.log"
        with log.open("w") as printed:
            run = subprocess.run(
                ["vagrant", "--no-tty", *arguments],
                cwd=self.project,
                env=os.environ | self.environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                timeout=590,
                check=False,
            )
        assert run.returncode == 0, f"vagrant {' '.join(arguments)}: status {run.returncode}\n{log.read_text()}"
        return log.read_text()

    def up(self, **environment: str) -> str:
        """Boot the machine and note how ssh reaches it: `vagrant ssh` takes seconds to say a word."""
        printed = self.vagrant("up", **environment)
        (self.project / ".vagrant" / "ssh").write_text(self.vagrant("ssh-config"))
        return printed

    def guest(self, command: str) -> str:
        """Run a command in the machine and return what it prints."""
        ssh = ["ssh", "-F", str(self.project / ".vagrant" / "ssh"), "default", command]
        return subprocess.run(ssh, check=True, capture_output=True, text=True, timeout=60).stdout

    def container(self) -> Any:
        """Return all that Docker knows of the service's container."""
        return json.loads(self.guest(f"docker inspect {NAME}"))[0]

    def get(self, path: str, port: int | None = None) -> str:
        """Fetch a page through the forwarded port."""
        with urllib.request.urlopen(f"http://127.0.0.1:{port or self.port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def ask(self) -> bytes:
        """Send the example, and return the answer."""
        url = f"http://127.0.0.1:{self.port}{example.ROUTE}"
        request = urllib.request.Request(url, example.BODY, method=example.METHOD)
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - an address of ours
            return bytes(answer.read())


def eventually(expected: object, ask: Callable[[], object], seconds: float = 90) -> None:
    """Ask until the answer is the expected one: a forwarded port resets connections while the service starts."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            actual = ask()
        except (OSError, subprocess.SubprocessError) as error:
            actual = error
        if expected == actual or time.monotonic() > deadline:
            assert expected == actual
            return
        time.sleep(0.5)
