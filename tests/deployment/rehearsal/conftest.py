"""One machine for all tests of this folder, booted from a box that is made of Debian packages."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.rehearsal import libvirt
from tests.deployment.rehearsal.machine import Machine
from tests.support.paths import ROOT

IMAGES = ("python:3.13-slim-trixie", "prom/prometheus:v3.5.0")
PACKAGES = (
    "vagrant vagrant-libvirt qemu-system-x86 qemu-utils libvirt-daemon-system libvirt-clients dnsmasq-base rsync "
    "openssh-client iproute2 iptables mmdebstrap extlinux syslinux-common fdisk e2fsprogs slirp4netns docker.io"
)

# What concerns this host and not the project goes where Vagrant expects it of every user.
HOME_VAGRANTFILE = """\
Vagrant.configure("2") do |config|
  config.vm.boot_timeout = 600
  config.vm.provider "libvirt" do |libvirt|
    libvirt.driver = "{driver}"
    libvirt.management_network_name = "rehearsal"
    libvirt.management_network_address = "192.168.137.0/24"
  end
end
"""


@pytest.fixture(scope="session", autouse=True)
def _packages() -> None:
    """Leave out the whole folder where it cannot run, and say what to install."""
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\\n", *PACKAGES.split()]
    if shutil.which("dpkg-query") is None:
        pytest.skip("the rehearsal needs Debian or Ubuntu")
    shown = subprocess.run(query, check=False, capture_output=True, text=True).stdout
    missing = [package for package in PACKAGES.split() if f"installed {package}\n" not in shown]
    if missing:
        pytest.skip(f"apt-get install --no-install-recommends {' '.join(missing)}")
    if os.geteuid() != 0:
        pytest.skip("needs root, to make a box and to start libvirt where none runs")


@pytest.fixture(scope="session")
def box() -> Path:
    """Return the box. What this machine cannot fetch, or an emulated processor cannot compile in time, is in it."""
    path = ROOT / "build" / "rehearsal.box"
    if path.exists():
        return path
    path.parent.mkdir(exist_ok=True)
    environment = dict(os.environ)
    with tempfile.NamedTemporaryFile(suffix=".tar") as image:
        # Without images of these names here the machine fetches them from Docker Hub, as a user's does.
        if subprocess.run(["docker", "save", "--output", image.name, *IMAGES], check=False).returncode == 0:
            environment["IMAGE"] = image.name
        if libvirt.driver() == "qemu":
            environment["CONTEXT"] = str(ROOT)
        subprocess.run([ROOT / "tests" / "deployment" / "rehearsal" / "box.sh", path], check=True, env=environment)
    return path


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a home for Vagrant beside a libvirt that runs. In the end this host is what it was before."""
    folder = tmp_path_factory.mktemp("rehearsal")
    before = libvirt.traces()
    with libvirt.running(folder):
        home = folder / "vagrant.d"
        home.mkdir()
        (home / "Vagrantfile").write_text(HOME_VAGRANTFILE.format(driver=libvirt.driver()))
        yield home
    assert before == libvirt.traces()


@pytest.fixture(scope="session")
def machine(box: Path, home: Path) -> Iterator[Machine]:
    """Return the machine, not yet booted, and destroy it in the end."""
    ports = [int(os.environ.get("PORT", "5000")), int(os.environ.get("METRICS_PORT", "9464"))]
    for port in (*ports, 9090):
        # Vagrant would not notice: the program that has the port would answer in the machine's place.
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, f"port {port} is taken"
    project = home.parent / "project"
    shutil.copytree(ROOT, project, symlinks=True, ignore=shutil.ignore_patterns(".git", ".venv", ".vagrant", "build"))
    machine = Machine(
        project,
        {
            "VAGRANT_HOME": str(home),
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            # Elsewhere the rehearsal shows that libvirt is found by itself.
            **({"VAGRANT_DEFAULT_PROVIDER": "libvirt"} if shutil.which("VBoxManage") else {}),
            "LIBVIRT_DEFAULT_URI": libvirt.URI,
            "BOX": "rehearsal",
            "BOX_URL": str(box),
        },
        *ports,
    )
    # A CI that runs out of time ends this by SIGTERM: the machine must not stay behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield machine
    machine.vagrant("destroy", "--force")
    # Vagrant keeps the box's volume for the next machine; the name says whose it is.
    for volume in libvirt.volumes():
        if volume.startswith("rehearsal_vagrant_box_image"):
            libvirt.virsh("vol-delete", volume, "default")
