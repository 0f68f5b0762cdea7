"""The CPUs that this process can actually use."""

import os
from pathlib import Path


def usable_cpus(root: Path = Path("/"), affinity: int | None = None) -> int:
    """Count the usable CPUs, at least 1: those in the affinity mask, or fewer if the control group has a quota.

    `os.cpu_count()` counts the host's CPUs: a container with a quota of one CPU on a host with 64 would start 64
    workers. A quota of 1.5 counts as 2: with 1, a third of the quota would go unused.
    """
    if affinity is None:
        affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota_v2(root) or _quota_v1(root)
    return affinity if quota is None else max(1, min(affinity, quota))


def _quota_v2(root: Path) -> int | None:
    """Read `cpu.max` of this process's group and of those above it, as systemd nests them; the smallest quota counts.

    "150000 100000" is one and a half CPUs, "max 100000" is no quota.
    """
    top = root / "sys/fs/cgroup"
    # The line "0::/system.slice/adder.service". A container has a tree of its own, in which its group is "/".
    paths = [
        path for number, _, path in (line.split(":", 2) for line in _lines(root / "proc/self/cgroup")) if number == "0"
    ]
    own = top / (paths[0].lstrip("/") if paths else "")
    quotas = []
    for folder in (own, *own.parents):
        quota, period = _words(folder / "cpu.max") or ("max", "")
        if quota != "max":
            quotas.append(_round_up(int(quota), int(period)))
    return min(quotas, default=None)


def _quota_v1(root: Path) -> int | None:
    """Read the two files of version 1, in which -1 means no quota."""
    folder = root / "sys/fs/cgroup/cpu"
    quota = _words(folder / "cpu.cfs_quota_us")
    period = _words(folder / "cpu.cfs_period_us")
    if not quota or not period or int(quota[0]) < 0:
        return None
    return _round_up(int(quota[0]), int(period[0]))


def _round_up(quota: int, period: int) -> int:
    return -(-quota // period)


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
