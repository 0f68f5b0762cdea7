"""The life of one rehearsal machine, in the order of this file: boot, provision, edit, kill, halt, destroy."""

import json
import re
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deployment.rehearsal import libvirt
from tests.deployment.rehearsal.machine import Machine, eventually
from tests.support import example
from tests.support.paths import NAME
from tests.support.scraping import ANSWERED


@pytest.mark.parametrize("provider", ["virtualbox", "libvirt"])
def test_valid(machine: Machine, provider: str, tmp_path: Path) -> None:
    """Vagrant accepts the file for each provider."""
    # Without VirtualBox Vagrant refuses to ask its provider; a program that tells a version is enough to validate.
    manage = tmp_path / "VBoxManage"
    manage.write_text("#!/bin/sh\necho 7.0.20r163906\n")
    manage.chmod(0o755)
    path = f"{tmp_path}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    printed = machine.vagrant("validate", VAGRANT_DEFAULT_PROVIDER=provider, PATH=path)
    assert "validated successfully" in printed


def test_up(machine: Machine) -> None:
    """One command later the service answers, on this host's loopback address."""
    assert "with 'libvirt' provider" in machine.up()
    eventually(example.ANSWER, machine.ask)


def test_metrics(machine: Machine) -> None:
    """The metrics show the request."""
    metrics = machine.get("/metrics", machine.metrics_port)
    assert float(re.findall(rf"^{re.escape(ANSWERED)} (\S+)$", metrics, re.MULTILINE)[0]) >= 1


def test_loopback_only(machine: Machine) -> None:
    """Nothing answers on any other address of this host."""
    links = json.loads(subprocess.run(["ip", "-json", "address"], check=True, capture_output=True).stdout)
    addresses = [address["local"] for link in links for address in link["addr_info"] if address["scope"] == "global"]
    assert addresses
    for address in addresses:
        for port in (machine.port, machine.metrics_port):
            with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
                probe.settimeout(5)
                assert probe.connect_ex((address, port)) != 0, f"{address} answers on port {port}"


def test_hardened(machine: Machine) -> None:
    """The container is healthy, read-only, limited, without capabilities and not root."""
    eventually("healthy", lambda: machine.container()["State"]["Health"]["Status"])
    container = machine.container()
    host = container["HostConfig"]
    assert container["Config"]["User"] == "10001:10001"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges" in host["SecurityOpt"]
    assert host["PidsLimit"] > 0
    assert host["Memory"] > 0
    status = machine.guest(f"cat /proc/{container['State']['Pid']}/status")
    held = dict(re.findall(r"^(Uid|Gid|CapEff|CapBnd|NoNewPrivs):\s+(\S+)", status, re.MULTILINE))
    none = "0" * 16
    assert held == {"Uid": "10001", "Gid": "10001", "CapEff": none, "CapBnd": none, "NoNewPrivs": "1"}


def test_logs(machine: Machine) -> None:
    """`docker logs` shows JSON, and nothing else."""
    lines = machine.guest(f"docker logs {NAME} 2>&1").splitlines()
    assert lines
    for line in lines:
        json.loads(line)


def test_edit(machine: Machine) -> None:
    """An edit is live after `vagrant provision`."""
    source = machine.project / "app" / "version.py"
    source.write_text(re.sub(r'__version__ = ".*"', '__version__ = "9.9.9"', source.read_text()))
    machine.vagrant("provision")
    eventually("9.9.9", lambda: json.loads(machine.get("/version"))["version"])


def test_no_edit(machine: Machine) -> None:
    """Without an edit `vagrant provision` leaves the container alone, and no request is lost."""
    before = machine.container()
    finished = threading.Event()
    answers: list[bytes | str] = []

    def ask() -> None:
        while not finished.wait(0.1):
            try:
                answers.append(machine.ask())
            except OSError as error:
                answers.append(str(error))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        machine.vagrant("provision")
    finally:
        finished.set()
        asking.join()
    after = machine.container()
    assert set(answers) == {example.ANSWER}
    assert (before["Id"], before["State"]["StartedAt"]) == (after["Id"], after["State"]["StartedAt"])


@pytest.mark.parametrize(
    "crash", [f"docker kill {NAME}", f"sudo kill -9 $(docker inspect -f '{{{{.State.Pid}}}}' {NAME})"]
)
def test_crash(machine: Machine, crash: str) -> None:
    """A container that was killed comes back."""
    before = machine.container()["State"]["Pid"]
    machine.guest(crash)
    eventually(example.ANSWER, machine.ask)
    assert machine.container()["State"]["Pid"] != before


def test_halt(machine: Machine) -> None:
    """After `vagrant halt` and `vagrant up` the last version serves again, without provisioning."""
    machine.vagrant("halt")
    machine.up(PROMETHEUS="1")  # For the test below, which needs the port from the boot on.
    eventually("9.9.9", lambda: json.loads(machine.get("/version"))["version"])


def test_prometheus(machine: Machine) -> None:
    """Only with PROMETHEUS set there is a Prometheus; it scrapes the service and evaluates the shipped rules."""
    assert "prometheus" not in machine.guest("docker ps --all --format '{{.Names}}'").split()
    machine.vagrant("provision", PROMETHEUS="1")

    def ask(path: str) -> Any:
        return json.loads(machine.get(f"/api/v1/{path}", 9090))["data"]

    eventually(["1"], lambda: [series["value"][1] for series in ask("query?query=up")["result"]])
    files = (machine.project / "config" / "prometheus" / "rules").glob("*.yml")
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    expected = {group["name"]: len(group["rules"]) for group in groups}
    assert expected == {group["name"]: len(group["rules"]) for group in ask("rules")["groups"]}


def test_destroy(machine: Machine) -> None:
    """`vagrant destroy` leaves no machine, no network, no volume and no forwarded port."""
    machine.vagrant("destroy", "--force")
    assert libvirt.virsh("list", "--all", "--name").split() == []
    assert "rehearsal" not in libvirt.virsh("net-list", "--all", "--name").split()
    assert [volume for volume in libvirt.volumes() if volume.startswith("project_")] == []
    for port in (machine.port, machine.metrics_port):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
