"""The libvirt of this host, or one of the rehearsal's own where none runs: in a container, on a CI runner."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

URI = "qemu:///system"

FIREWALL = [(program, table) for program in ("iptables", "ip6tables") for table in ("filter", "nat", "mangle")]

# A sandbox has no cgroups to give away, no AppArmor and no user but root. `file` does without a second daemon for logs.
SANDBOX = """\
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
"""


def virsh(*arguments: str) -> str:
    """Return what virsh prints."""
    command = ["virsh", "--quiet", "--connect", URI, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def answers() -> bool:
    """Tell whether a libvirt can be asked."""
    try:
        virsh("version")
    except subprocess.SubprocessError:
        return False
    return True


def volumes() -> list[str]:
    """Return the names of the volumes in the pool that Vagrant uses."""
    if "default" not in virsh("pool-list", "--name").split():
        return []
    return [line.split()[0] for line in virsh("vol-list", "default").splitlines() if line]


def driver() -> str:
    """Return the fastest kind of machine that this host can run; `qemu` emulates the processor, many times slower."""
    # A /dev/kvm alone says little: inside some virtual machines it is there, and qemu dies on it.
    flags = set(Path("/proc/cpuinfo").read_text().split())
    return "kvm" if Path("/dev/kvm").exists() and flags & {"vmx", "svm"} else "qemu"


def traces() -> set[str]:
    """List what a machine can leave behind on this host: processes, networks, rules of the firewall."""
    processes = {
        f"process {path.parent.name} {name}"
        for path in Path("/proc").glob("[0-9]*/comm")
        if (name := _text(path).strip()).startswith(("qemu", "dnsmasq", "libvirtd", "virtlogd"))
    }
    links = json.loads(subprocess.run(["ip", "-json", "link"], check=True, capture_output=True).stdout)
    rules = {
        f"{program} {table} {rule}"
        for program, table in FIREWALL
        for rule in _iptables(program, table, "--list-rules")
        if "LIBVIRT" in rule
    }
    return processes | {f"network {link['ifname']}" for link in links} | rules


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):  # It has ended meanwhile.
        return ""


def _iptables(program: str, table: str, *arguments: str) -> list[str]:
    command = [program, "--wait", "--table", table, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def _remove_chains() -> None:
    # libvirt keeps its chains for the next network, and does not remove them when it ends.
    for program, table in FIREWALL:
        rules = [rule.split() for rule in _iptables(program, table, "--list-rules") if "LIBVIRT" in rule]
        for rule in rules:
            if rule[0] == "-A":
                _iptables(program, table, "--delete", *rule[1:])
        for rule in rules:
            if rule[0] == "-N":
                _iptables(program, table, "--delete-chain", rule[1])


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """Make sure that a libvirt runs; one that had to be started keeps everything in the folder and ends with it."""
    if answers():
        yield
        return
    shutil.copytree("/etc/libvirt", folder / "etc")
    (folder / "etc" / "qemu.conf").write_text(SANDBOX)
    (folder / "lib").mkdir()
    # Mounts of its own, so that neither this machine's settings nor its pools and networks are touched.
    script = 'mount --bind "$0/etc" /etc/libvirt && mount --bind "$0/lib" /var/lib/libvirt && exec /usr/sbin/libvirtd'
    with (folder / "libvirtd.log").open("w") as log:
        # In a session of its own: Ctrl-C must not end it before the machine is destroyed.
        command = ["unshare", "--mount", "sh", "-c", script, str(folder)]
        daemon = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 30
        while not answers():
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "libvirtd.log").read_text())
            time.sleep(0.2)
        yield
    finally:
        daemon.terminate()
        daemon.wait(30)
        _remove_chains()
