"""One Swarm for all tests of this folder, with the images that the stack names."""

import os
import re
import shutil
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.cluster import builds
from tests.deployment.cluster.clients import Load
from tests.deployment.cluster.swarm import FILE, Swarm
from tests.support import engine
from tests.support.paths import ROOT

PROGRAMS = {"dockerd": "docker.io", "iptables": "iptables", "ip": "iproute2", "nsenter": "util-linux"}


@pytest.fixture(scope="session")
def images() -> list[str]:
    """Build the images, on the engine of this machine, and name all that the stack needs; or say what is missing."""
    if missing := [package for program, package in PROGRAMS.items() if shutil.which(program) is None]:
        pytest.skip(f"apt-get install --no-install-recommends {' '.join(missing)}")
    if os.geteuid() != 0:
        pytest.skip("needs root, for an engine with a network of its own")
    try:
        engine.run("version")
    except RuntimeError:
        pytest.skip("no Docker engine answers: start dockerd")
    others = re.findall(r"image: ([^$\s]+)", FILE.read_text())
    base = re.findall(r"ARG PYTHON_IMAGE=(\S+)", (ROOT / "Dockerfile").read_text())
    if missing := [image for image in others + base if not engine.run("images", "--quiet", image)]:
        pytest.skip(f"docker pull, or make image-base where no registry of images is reached: {' '.join(missing)}")
    return [*builds.build(), *others]


@pytest.fixture(scope="session")
def swarm(images: list[str]) -> Iterator[Swarm]:
    """Run the Swarm. In the end this machine is what it was before."""
    # Not pytest's own folder: the path of a socket has at most 108 bytes.
    with Swarm(Path(tempfile.mkdtemp(prefix="swarm-"))) as swarm:
        swarm.load(*images)
        yield swarm
    assert swarm.traces() == []


@pytest.fixture(scope="session")
def stack(swarm: Swarm) -> Swarm:
    """Deploy the stack, and wait until it answers."""
    swarm.deploy(builds.FIRST)
    swarm.wait_for(4)
    engine.until(lambda: len(swarm.containers("balancer")) == 1)
    return swarm


def answers(address: str) -> bool:
    """Tell whether the balancer has a replica to ask."""
    try:
        with urllib.request.urlopen(f"http://{address}:5000/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="session")
def load(stack: Swarm) -> Iterator[Load]:
    """Run the clients, from the first test that wants them until the last."""
    engine.until(lambda: answers(stack.address))
    with Load(stack.address) as load:
        yield load
    assert load.errors == []
