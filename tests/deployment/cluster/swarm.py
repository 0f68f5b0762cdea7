"""A Swarm of one node: a Docker engine and a network of its own, beside the engine that this machine has."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

from tests.support import engine
from tests.support.paths import NAME, ROOT

STACK = NAME
FILE = ROOT / "config" / "swarm.yaml"

# Used by no other network: for measurements between two machines (RFC 2544).
ADDRESSES = "198.18.{}"


class Swarm:
    """The engine, as a manager of a Swarm; `with` ends it and all that it runs.

    The machine's own engine, turned into a Swarm, would lend its networks, its port 5000 and its firewall to the tests,
    and another user may be using it. This one shares nothing with it but the kernel.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = f"unix://{folder}/socket"
        # As with processes, so with networks: two of these may run at the same time.
        self._name = f"swarm{os.getpid()}"
        self._link = f"{self._name}b"
        prefix = ADDRESSES.format(os.getpid() % 256)
        self.gateway, self.address = f"{prefix}.1", f"{prefix}.2"
        self._engine: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the engine and make it a manager."""
        try:
            self._connect()
            self._start()
            self.docker("swarm", "init", "--advertise-addr", self.address)
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.end()

    def _connect(self) -> None:
        _ip("netns", "add", self._name)
        _ip("link", "add", self._link, "type", "veth", "peer", "name", "engine", "netns", self._name)
        _ip("address", "add", f"{self.gateway}/30", "dev", self._link)
        _ip("link", "set", self._link, "up")
        _ip("-n", self._name, "address", "add", f"{self.address}/30", "dev", "engine")
        _ip("-n", self._name, "link", "set", "engine", "up")
        _ip("-n", self._name, "link", "set", "lo", "up")

    def _start(self) -> None:
        command = [
            # Not `ip netns exec`, which mounts another /sys, without the control groups.
            *("nsenter", f"--net=/run/netns/{self._name}", "dockerd", "--host", self.host),
            *("--data-root", self.folder / "data", "--exec-root", self.folder / "run"),
            *("--pidfile", self.folder / "pid"),
            # Where a containerd runs already, dockerd uses it: under names of its own.
            *("--containerd-namespace", self._name, "--containerd-plugins-namespace", f"plugins.{self._name}"),
            # What config/swarm.yaml asks of every machine.
            "--no-new-privileges",
        ]
        with (self.folder / "log").open("wb") as log:
            # In a session of its own: Ctrl-C must not end it before its containers.
            self._engine = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            engine.until(self._answers)
        except TimeoutError:
            raise RuntimeError((self.folder / "log").read_text()) from None

    def _answers(self) -> bool:
        assert self._engine is not None
        assert self._engine.poll() is None, (self.folder / "log").read_text()
        try:
            self.docker("version")
        except RuntimeError:
            return False
        return True

    def end(self) -> None:
        """End the engine, its containers and its network."""
        if self._engine is not None:
            # Removed, and then killed: a graceful stop takes time, and no client waits for their answers.
            self.docker("service", "rm", *self.docker("service", "ls", "--quiet", check=False).split(), check=False)
            while containers := self.docker("ps", "--quiet", check=False).split():
                self.docker("kill", *containers, check=False)
            self.docker("swarm", "leave", "--force", check=False)
            self._engine.terminate()
            self._engine.wait(60)
        _ip("link", "delete", self._link, check=False)
        _ip("netns", "delete", self._name, check=False)
        # The engine has been seen to leave the namespaces of its networks mounted.
        for namespace in self.folder.glob("run/netns/*"):
            subprocess.run(["umount", namespace], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def traces(self) -> list[Path]:
        """List what is left of it on this machine."""
        places = (self.folder, Path("/sys/class/net", self._link), Path("/run/netns", self._name))
        return [place for place in places if place.exists()]

    def docker(self, *arguments: str | Path, check: bool = True, **environment: str) -> str:
        """Run one Docker command on this engine."""
        return engine.run("--host", self.host, *arguments, check=check, env=os.environ | environment)

    def load(self, *images: str) -> None:
        """Copy images from the machine's own engine."""
        archive = self.folder / "images.tar"
        engine.run("save", "--output", archive, *images)
        self.docker("load", "--input", archive)
        archive.unlink()

    def deploy(self, image: str) -> None:
        """Deploy the stack, or roll it to another image, as docs/deploy/swarm.md says."""
        # No registry is reached from this network, and none is to be asked for the digest of an image.
        self.docker("stack", "deploy", "--resolve-image", "never", "--compose-file", FILE, STACK, IMAGE=image)

    def scale(self, replicas: int) -> None:
        """Ask for `replicas` replicas, and wait until there are as many, all healthy, and no others."""
        self.docker("service", "scale", "--detach", f"{STACK}_app={replicas}")
        self.wait_for(replicas)

    def wait_for(self, replicas: int, *, or_more: bool = False) -> None:
        """Wait until `replicas` replicas run, all healthy, and no others (or more)."""

        def there() -> bool:
            found = [self.health(name) for name in self.containers("app")]
            return set(found) == {"healthy"} and (len(found) == replicas or (or_more and len(found) > replicas))

        engine.until(there, 90)

    def containers(self, service: str) -> list[str]:
        """List the containers of a service that run, those that are being stopped included."""
        label = f"label=com.docker.swarm.service.name={STACK}_{service}"
        return self.docker("ps", "--quiet", "--no-trunc", "--filter", label).split()

    def inspect(self, name: str) -> dict[str, Any]:
        """Read all that the engine knows of a container or a service."""
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", name, check=False))
        return found[0] if found else {}

    def health(self, container: str) -> str:
        """Tell what the health check of a container found."""
        state = self.inspect(container).get("State", {})
        return str(state.get("Health", {}).get("Status", "gone"))

    def update(self) -> tuple[str, str]:
        """Tell when the last update of the service began, and what has come of it."""
        status = self.inspect(f"{STACK}_app").get("UpdateStatus") or {}
        return str(status.get("StartedAt", "")), str(status.get("State", ""))

    def roll(self, image: str) -> str:
        """Roll the service to another image, and tell what has come of it."""
        before = self.update()[0]
        self.deploy(image)

        def ended() -> bool:
            started, state = self.update()
            return started != before and not state.endswith(("updating", "started"))

        engine.until(ended, 180)
        return self.update()[1]

    def python(self, container: str, program: str) -> str:
        """Run a program inside of a container of the service."""
        return self.docker("exec", container, "/opt/venv/bin/python", "-c", program)

    def query(self, expression: str) -> list[dict[str, str]]:
        """Ask Prometheus, and return the labels of each series that the expression yields now."""
        (prometheus,) = self.containers("prometheus")
        ask = ("promtool", "query", "--format", "json", "instant", "http://localhost:9090", expression)
        return [series["metric"] for series in json.loads(self.docker("exec", prometheus, *ask))]


def _ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, capture_output=not check)
