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
    """Read `cpu.max`: "150000 100000" is one and a half CPUs, "max 100000" is no quota."""
    quota, period = _words(root / "sys/fs/cgroup/cpu.max") or ("max", "")
    return None if quota == "max" else _round_up(int(quota), int(period))


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
    try:
        return path.read_text().split()
    except OSError:
        return []
