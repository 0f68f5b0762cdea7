"""CPUs: the affinity mask and the quota of the control group, of both versions."""

import os
from pathlib import Path

import pytest

from app.serving.cpus import usable_cpus

V2 = "cpu.max"
V1_QUOTA = "cpu/cpu.cfs_quota_us"
V1_PERIOD = "cpu/cpu.cfs_period_us"


def control_group(root: Path, files: dict[str, str]) -> Path:
    """Write the files of a control group below a root."""
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, 8, id="no control group"),
        pytest.param({V2: "max 100000\n"}, 8, id="v2 without a quota"),
        pytest.param({V2: "100000 100000\n"}, 1, id="v2 one CPU"),
        pytest.param({V2: "150000 100000\n"}, 2, id="v2 one and a half, rounded up"),
        pytest.param({V2: "200001 100000\n"}, 3, id="v2 a little more than two"),
        pytest.param({V2: "1000 100000\n"}, 1, id="v2 a hundredth"),
        pytest.param({V2: "50000 25000\n"}, 2, id="v2 another period"),
        pytest.param({V2: "3200000 100000\n"}, 8, id="v2 more than the affinity"),
        pytest.param({V2: ""}, 8, id="v2 empty"),
        pytest.param({V1_QUOTA: "-1\n", V1_PERIOD: "100000\n"}, 8, id="v1 without a quota"),
        pytest.param({V1_QUOTA: "250000\n", V1_PERIOD: "100000\n"}, 3, id="v1 two and a half"),
        pytest.param({V1_QUOTA: "1000\n", V1_PERIOD: "100000\n"}, 1, id="v1 a hundredth"),
        pytest.param({V1_QUOTA: "9900000\n", V1_PERIOD: "100000\n"}, 8, id="v1 more than the affinity"),
        pytest.param({V1_QUOTA: "200000\n"}, 8, id="v1 without a period"),
        pytest.param({V1_PERIOD: "100000\n"}, 8, id="v1 with a period alone"),
        pytest.param(
            {V2: "max 100000\n", V1_QUOTA: "200000\n", V1_PERIOD: "100000\n"}, 2, id="hybrid, the quota in v1"
        ),
        pytest.param({V2: "300000 100000\n", V1_QUOTA: "200000\n", V1_PERIOD: "100000\n"}, 3, id="both, v2 counts"),
    ],
)
def test_quota(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    """Of eight CPUs, as many are usable as the control group pays for, rounded up."""
    assert expected == usable_cpus(control_group(tmp_path, files), affinity=8)


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        pytest.param("0::/a.slice/b.service\n", 2, id="its own"),
        pytest.param("0::/a.slice/b.service/c\n", 2, id="that of a group above it"),
        pytest.param("1:name=systemd:/x:y\n0::/a.slice\n", 3, id="beside version 1"),
        pytest.param("0::/other\n", 8, id="none"),
        pytest.param("0::/../other\n", 8, id="outside of the tree"),
        pytest.param("", 8, id="unknown"),
    ],
)
def test_nested_groups(tmp_path: Path, group: str, expected: int) -> None:
    """The smallest quota counts, of the process's own control group and of those above it."""
    files = {f"a.slice/{V2}": "300000 100000", f"a.slice/b.service/{V2}": "200000 100000", "a.slice/b.service/c/x": ""}
    root = control_group(tmp_path, files)
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(group)
    assert expected == usable_cpus(root, affinity=8)


def test_affinity_alone(tmp_path: Path) -> None:
    """A mask of one CPU is one CPU, whatever the quota is."""
    assert 1 == usable_cpus(control_group(tmp_path, {V2: "400000 100000\n"}), affinity=1)


def test_affinity_of_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mask of this process counts where none is given."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 3, 5}, raising=False)
    assert 3 == usable_cpus(tmp_path)


@pytest.mark.parametrize(("count", "expected"), [(6, 6), (None, 1)])
def test_system_without_affinity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int | None, expected: int
) -> None:
    """On a Mac, which has no mask, all CPUs count, and at least one."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert expected == usable_cpus(tmp_path)
