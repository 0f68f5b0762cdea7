"""The engine and the registry of a rehearsal: processes of this machine, that are gone afterwards.

`python -m tests.deployment.release.machine COMMAND...` runs a command with that engine instead of the machine's own.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.deployment.image.test_bases import BASES
from tests.support import engine
from tests.support.paths import ROOT

EQUIPMENT = Path(__file__).with_name("engine.sh")
SYSTEM = ROOT / "build" / "engine"
BASE_FOR_ARM64 = ROOT / "build" / "engine.arm64.tar"
BRIDGE = "rehearsal0"
# How skopeo and cosign speak with a registry without TLS.
PLAIN_PUSH = ("--dest-tls-verify=false",)
PLAIN = ("--allow-http-registry", "--allow-insecure-registry")


def make() -> None:
    """Make what takes minutes, unless it is there: `make clean` removes it."""
    SYSTEM.parent.mkdir(exist_ok=True)
    if not SYSTEM.exists():
        subprocess.run([EQUIPMENT, "make", SYSTEM], check=True)
    subprocess.run([EQUIPMENT, "arm64", SYSTEM], check=True)
    if not BASE_FOR_ARM64.exists():
        unfinished = BASE_FOR_ARM64.with_suffix(".unfinished.tar")
        subprocess.run([EQUIPMENT, "base", unfinished], check=True)
        unfinished.rename(BASE_FOR_ARM64)


@contextmanager
def process(*command: str | Path, log: Path) -> Iterator[None]:
    """Run a program, and end it."""
    with log.open("w") as output:
        running = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield
    finally:
        running.terminate()
        running.wait(30)


@contextmanager
def docker() -> Iterator[None]:
    """Run the engine; within, `docker` is its client and talks to it, and `cosign` is there."""
    with tempfile.TemporaryDirectory(prefix="release-") as scratch, pytest.MonkeyPatch.context() as patch:
        folder = Path(scratch)
        (folder / "bin").mkdir()
        for program in ("docker", "cosign"):
            (folder / "bin" / program).symlink_to(SYSTEM / "usr/bin" / program)
        (folder / "cli-plugins").mkdir()
        (folder / "cli-plugins/docker-buildx").symlink_to(SYSTEM / "usr/libexec/docker/cli-plugins/docker-buildx")
        patch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("DOCKER_CONFIG", str(folder))
        patch.setenv("DOCKER_HOST", f"unix://{SYSTEM}.share/docker.sock")
        try:
            with process(EQUIPMENT, "serve", SYSTEM, BRIDGE, log=SYSTEM.with_suffix(".log")):
                engine.until(answers)
                yield
        finally:
            subprocess.run([EQUIPMENT, "down", BRIDGE], check=True)


def answers() -> bool:
    """Tell whether the engine answers."""
    with suppress(RuntimeError):
        return "Server" in engine.run("version")
    return False


@contextmanager
def registry(storage: Path) -> Iterator[str]:
    """Run a registry on the loopback interface, and give its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    storage.mkdir()
    options = storage.with_suffix(".yml")
    options.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {storage}}}}}\nhttp: {{addr: '{address}'}}\n"
    )
    log = storage.with_suffix(".log")
    with process(SYSTEM / "usr/bin/docker-registry", "serve", options, log=log):
        engine.until(lambda: serves(address))
        yield address


def serves(address: str) -> bool:
    """Tell whether a registry answers."""
    try:
        with urllib.request.urlopen(f"http://{address}/v2/", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def base() -> str:
    """Name the base image that the Dockerfile asks for."""
    return re.findall(r"^ARG PYTHON_IMAGE=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0]


def main(*command: str) -> int:
    """Run a command with the engine, which gets the base images of the machine's own, and return its exit status."""
    make()
    with tempfile.TemporaryDirectory() as scratch:
        saved = Path(scratch) / "bases.tar"
        stand_ins = [name for name in BASES if engine.run("images", "--quiet", name)]
        engine.run("save", "--output", saved, base(), *stand_ins)
        with docker():
            engine.run("load", "--quiet", "--input", saved)
            return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
