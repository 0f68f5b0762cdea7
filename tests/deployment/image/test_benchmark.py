"""CIS Docker Benchmark 1.6, sections 4 and 5: what applies to an image and its run, with the evidence.

The rest is about the host or the one who runs it: 4.4 (scan and rebuild), 4.5 (content trust), 4.12 (signatures),
5.1 (swarm), 5.3 (SELinux), 5.23 and 5.24 (how `docker exec` is used), 5.28 (fresh images).
The run is the one of config/compose.yaml.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.deployment.image import layers
from tests.deployment.image.compose import PROJECT, compose
from tests.support import engine
from tests.support.paths import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
INSTRUCTIONS = re.findall(r"^([A-Z]+) ", DOCKERFILE, re.MULTILINE)
Evidence = tuple[Any, Any]


@pytest.fixture(scope="module")
def entries(image: str) -> dict[str, layers.Entry]:
    """Read the files of the image."""
    return layers.read(image)


@pytest.fixture(scope="module")
def config(image: str) -> dict[str, Any]:
    """Read the configuration of the image."""
    found: dict[str, Any] = engine.inspect(image)["Config"]
    return found


@pytest.fixture(scope="module")
def container(image: str) -> Iterator[dict[str, Any]]:
    """Create the service as Compose would run it. It need not start for the engine to tell how it would run."""
    assert engine.inspect(image)
    compose("up", "--no-start", "--no-build", "app")
    found = engine.inspect(compose("ps", "--all", "--quiet", "app").strip() or f"{PROJECT}_app_1")
    yield found
    compose("down")


IMAGE: dict[str, Callable[[dict[str, Any]], Evidence]] = {
    "4.1 a user for the container": lambda config: (config["User"], "10001:10001"),
    "4.6 a health check": lambda config: (config["Healthcheck"]["Test"][0], "CMD"),
    "4.10 no secrets": lambda config: (
        {entry.split("=")[0] for entry in config["Env"]} - {"PATH", "REVISION", "TMPDIR"},
        set(),
    ),
}


@pytest.mark.parametrize("check", IMAGE)
def test_image(config: dict[str, Any], check: str) -> None:
    """The configuration of the image passes the check."""
    actual, expected = IMAGE[check](config)
    assert expected == actual


FILE: dict[str, Callable[[], Evidence]] = {
    "4.2 only trusted base images": lambda: (
        re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)[0],
        "${PYTHON_IMAGE}",
    ),
    "4.7 no update on its own": lambda: (re.findall(r"apt-get|apk |yum ", DOCKERFILE.replace("apt would", "")), []),
    "4.9 COPY, not ADD": lambda: (INSTRUCTIONS.count("ADD"), 0),
    "4.11 only verified packages": lambda: (
        DOCKERFILE.count("pip --python /opt/venv install") + DOCKERFILE.count("pip install"),
        DOCKERFILE.count("--require-hashes"),
    ),
}


@pytest.mark.parametrize("check", FILE)
def test_dockerfile(check: str) -> None:
    """The Dockerfile passes the check."""
    actual, expected = FILE[check]()
    assert expected == actual


def test_no_unnecessary_packages(entries: dict[str, layers.Entry]) -> None:
    """4.3: of a distribution there are only libraries that something links to, and no tool that would install more."""
    unwanted = ("/var/lib/dpkg/status/", "/var/lib/dpkg/info", "/var/lib/apt", "/lib/apk", "/var/lib/rpm")
    assert [path for path in entries if f"{path}/".startswith(unwanted)] == []


def test_no_setuid(entries: dict[str, layers.Entry]) -> None:
    """4.8: no file is setuid or setgid."""
    assert [entry.path for entry in entries.values() if entry.mode & 0o6000] == []


RUN: dict[str, Callable[[dict[str, Any]], Evidence]] = {
    "5.4 no capabilities": lambda host: ((host["CapDrop"], host["CapAdd"] or []), (["ALL"], [])),
    "5.5 not privileged": lambda host: (host["Privileged"], False),
    "5.6 no directories of the host": lambda host: (host["Binds"] or [], []),
    "5.8 no privileged ports": lambda host: (
        [at for ports in host["PortBindings"].values() for at in ports if int(at["HostPort"]) < 1024],
        [],
    ),
    "5.9 only needed ports": lambda host: (list(host["PortBindings"]), ["5000/tcp"]),
    "5.10 not the host's network": lambda host: (host["NetworkMode"] == "host", False),
    "5.11 a limit on memory": lambda host: (host["Memory"], 128 * 1024 * 1024),
    "5.12 a CPU priority": lambda host: ((host["CpuShares"], host["NanoCpus"]), (1024, 1_000_000_000)),
    "5.13 a read-only root": lambda host: (host["ReadonlyRootfs"], True),
    "5.14 bound to one interface": lambda host: (
        {at["HostIp"] for ports in host["PortBindings"].values() for at in ports},
        {"127.0.0.1"},
    ),
    "5.15 restarted at most 5 times": lambda host: (
        host["RestartPolicy"],
        {"Name": "on-failure", "MaximumRetryCount": 5},
    ),
    "5.16 not the host's processes": lambda host: (host["PidMode"], ""),
    "5.17 not the host's shared memory": lambda host: (host["IpcMode"] in {"", "private"}, True),
    "5.18 no devices of the host": lambda host: (host["Devices"] or [], []),
    "5.19 a limit on open files": lambda host: ([limit["Name"] for limit in host["Ulimits"]], ["nofile"]),
    "5.20 no shared mount propagation": lambda host: ([mount for mount in host.get("Mounts") or [] if mount], []),
    "5.21 not the host's name": lambda host: (host["UTSMode"], ""),
    "5.22 the default seccomp profile": lambda host: (
        [option for option in host["SecurityOpt"] if "seccomp" in option],
        [],
    ),
    "5.25 the engine's cgroup": lambda host: (host["CgroupParent"], ""),
    "5.26 no new privileges": lambda host: (host["SecurityOpt"], ["no-new-privileges:true"]),
    "5.29 a limit on processes": lambda host: (host["PidsLimit"], 64),
    "5.30 a network of its own": lambda host: (host["NetworkMode"] in {"bridge", "default"}, False),
    "5.31 not the host's users": lambda host: (host["UsernsMode"], ""),
    "5.32 no engine inside": lambda host: ([bind for bind in host["Binds"] or [] if "docker.sock" in bind], []),
}


@pytest.mark.parametrize("check", RUN)
def test_run(container: dict[str, Any], check: str) -> None:
    """The run of the service passes the check."""
    actual, expected = RUN[check](container["HostConfig"])
    assert expected == actual


def test_apparmor(container: dict[str, Any]) -> None:
    """5.2: nothing takes the container out of AppArmor's default profile; where the kernel has none, there is none."""
    has_apparmor = "apparmor" in engine.run("info", "--format", "{{.SecurityOptions}}")
    assert ("docker-default" if has_apparmor else "") == container["AppArmorProfile"]
    assert [option for option in container["HostConfig"]["SecurityOpt"] if option.startswith("apparmor")] == []


def test_no_ssh(entries: dict[str, layers.Entry]) -> None:
    """5.7: no SSH server is in the image."""
    assert [path for path in entries if path.endswith("/sshd")] == []


def test_health_is_watched(container: dict[str, Any]) -> None:
    """5.27: the health check of the image is in force in the run."""
    assert container["Config"]["Healthcheck"]["Test"][0] == "CMD"
