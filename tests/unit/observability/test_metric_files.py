"""The files behind the metrics: by slot, so that they outlive workers and do not pile up."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values

from app.observability.metric_files import MetricFiles


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MetricFiles]:
    """Make the files of a server; what that changes in prometheus_client is put back after the test."""
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    files = MetricFiles(tmp_path)
    yield files
    values.ValueClass.close_all_files()


@pytest.fixture
def counter(files: MetricFiles) -> Counter:  # noqa: ARG001 - which must be there first
    """Make a counter behind which are the files."""
    return Counter("things", "Things.", ["kind"], registry=CollectorRegistry())


def total(files: MetricFiles, kind: str) -> float | None:
    """Read the sum of a counter over all files."""
    registry = CollectorRegistry()
    registry.register(files)
    return registry.get_sample_value("things_total", {"kind": kind})


def names(files: MetricFiles) -> set[str]:
    """List the files."""
    return {file.name for file in files.directory.glob("*.db")}


def test_folder_is_private_to_a_server(files: MetricFiles, tmp_path: Path) -> None:
    """Each server has a folder of its own, which no other user can read."""
    assert tmp_path == files.directory.parent
    assert files.directory.name.startswith("app-metrics-")
    assert files.directory.stat().st_mode & 0o777 == 0o700
    assert MetricFiles(tmp_path).directory != files.directory


def test_slots_are_added_up(files: MetricFiles, counter: Counter) -> None:
    """Each slot counts in files of its own, and a scrape has their sum."""
    child = counter.labels("a")
    for owner, amount in (("master", 1), ("slot-0", 2), ("slot-1", 3)):
        files.owner = owner
        child.inc(amount)
    assert 6 == total(files, "a")
    assert {"counter_master.db", "counter_slot-0.db", "counter_slot-1.db"} == names(files)


def test_a_successor_goes_on_counting(files: MetricFiles, counter: Counter) -> None:
    """Who takes over a slot goes on from where its predecessor has stopped, and adds no file."""
    child = counter.labels("a")
    for owner in ("slot-0", "slot-1", "slot-0", "slot-0"):
        files.owner = owner
        child.inc()
    assert 4 == total(files, "a")
    assert 3 == len(names(files))


def test_prepared_slots_have_what_is_known_at_0(files: MetricFiles, counter: Counter) -> None:
    """The files of all slots are there from the start, with the series of the master."""
    counter.labels("known")
    Histogram("sizes", "Sizes.", registry=CollectorRegistry())
    files.prepare(2)
    expected = {f"{kind}_{slot}.db" for kind in ("counter", "histogram") for slot in ("master", "slot-0", "slot-1")}
    assert expected == names(files)
    assert 0 == total(files, "known")
    files.owner = "slot-1"
    counter.labels("known").inc()
    assert 1 == total(files, "known")
    assert expected == names(files)


def test_what_the_master_has_counted_counts_once(files: MetricFiles, counter: Counter) -> None:
    """A metric that a module changes while it is imported is not multiplied by the slots."""
    counter.labels("import").inc()
    histogram = Histogram("seconds", "Seconds.", buckets=(1,), registry=CollectorRegistry())
    histogram.observe(0.5)
    files.prepare(2)
    registry = CollectorRegistry()
    registry.register(files)
    assert 1 == total(files, "import")
    assert [1, 0.5] == [registry.get_sample_value(f"seconds_{name}") for name in ("count", "sum")]
    assert 1 == registry.get_sample_value("seconds_bucket", {"le": "1.0"})


@pytest.mark.parametrize(("mode", "at_import", "expected"), [("min", 0, 7), ("max", 0, -7), ("min", 5, 5)])
def test_a_gauge_that_some_process_has_not_set(files: MetricFiles, mode: Any, at_import: int, expected: int) -> None:
    """The least of all values is none of a slot without a worker, nor of the master unless a module has set it."""
    gauge = Gauge("level", "Level.", registry=CollectorRegistry(), multiprocess_mode=mode)
    gauge.set(at_import)
    files.prepare(2)
    files.owner = "slot-1"
    gauge.set(7 if mode == "min" else -7)
    registry = CollectorRegistry()
    registry.register(files)
    assert expected == registry.get_sample_value("level")


@pytest.mark.parametrize("mode", ["max", "mostrecent"])
def test_a_gauge_that_a_thread_of_the_master_sets(files: MetricFiles, mode: Any) -> None:
    """A scheduler that begins in create_app() runs in the master: what it sets after the start is exported."""
    gauge = Gauge("level", "Level.", registry=CollectorRegistry(), multiprocess_mode=mode)
    files.prepare(2)
    registry = CollectorRegistry()
    registry.register(files)
    assert registry.get_sample_value("level") is None
    gauge.set(7)
    assert 7 == registry.get_sample_value("level")


def test_what_other_processes_count(files: MetricFiles, counter: Counter) -> None:
    """What a forked process counts is not exported, nor what a program with all of os.environ does; their files go."""
    program = "from prometheus_client import Counter; Counter('things', 'Things.', ['kind']).labels('a').inc(5)"
    subprocess.run([sys.executable, "-c", program], env={**os.environ}, check=True)
    assert 1 == len(names(files))
    counter.labels("a").inc()
    assert 1 == total(files, "a")
    assert {"counter_master.db"} == names(files)
    files.detach()
    counter.labels("a").inc()
    assert 1 == total(files, "a")
    assert {"counter_master.db", f"counter_{os.getpid()}.db"} == names(files)


def test_prepared_slots_take_their_memory_at_once(files: MetricFiles, counter: Counter) -> None:
    """A worker that writes to its files finds no hole in them, for which there might be no memory any more."""
    counter.labels("known")
    files.prepare(1)
    status = (files.directory / "counter_slot-0.db").stat()
    assert status.st_blocks * 512 >= status.st_size


def test_an_empty_file_is_passed_over(files: MetricFiles, counter: Counter) -> None:
    """A file that has been made and not yet written does not fail the scrape."""
    counter.labels("a").inc()
    (files.directory / "counter_slot-7.db").touch()
    assert 1 == total(files, "a")


def test_a_file_that_has_just_gone_is_passed_over(
    files: MetricFiles, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gauges `live...` of a worker that ends while the scrape is under way do not fail it."""
    counter.labels("a").inc()
    gone = [files.directory / f"gauge_{mode}_slot-7.db" for mode in ("liveall", "livemax")]
    glob = Path.glob
    monkeypatch.setattr(Path, "glob", lambda path, pattern: [*glob(path, pattern), *gone])
    assert 1 == total(files, "a")


def test_histograms_are_added_up(files: MetricFiles) -> None:
    """The buckets, the count and the sum of a histogram are those of all slots."""
    histogram = Histogram("sizes", "Sizes.", buckets=(1, 10), registry=CollectorRegistry())
    for owner, size in (("slot-0", 1), ("slot-1", 5), ("slot-1", 50)):
        files.owner = owner
        histogram.observe(size)
    (metric,) = files.collect()
    expected = {("1.0",): 1.0, ("10.0",): 2.0, ("+Inf",): 3.0}
    assert ("sizes", "histogram", "Sizes.") == (metric.name, metric.type, metric.documentation)
    assert expected == {tuple(s.labels.values()): s.value for s in metric.samples if s.name == "sizes_bucket"}
    assert {"sizes_count": 3.0, "sizes_sum": 56.0} == {s.name: s.value for s in metric.samples if not s.labels}


def test_remove(files: MetricFiles, counter: Counter) -> None:
    """Nothing is left, and to remove nothing is no error."""
    counter.labels("a")
    files.remove()
    assert not files.directory.exists()
    files.remove()


def test_room_is_not_checked_where_the_system_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without posix_fallocate, such as a Mac, starts all the same."""
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    assert ["lock"] == [file.name for file in MetricFiles(tmp_path, 1_000_000).directory.iterdir()]


def test_no_room(tmp_path: Path) -> None:
    """Where there is no room for the files of all slots, that comes out at once, and nothing is left behind."""
    with pytest.raises(OSError, match=r"space|large") as caught:
        MetricFiles(tmp_path, 2**40)
    assert str(tmp_path) == caught.value.filename
    assert [] == list(tmp_path.iterdir())


def test_orphans_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that no living process holds is removed at the next start; one in use, or of no server, is not."""
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    in_use = MetricFiles(tmp_path).directory
    orphan, foreign, linked = (tmp_path / f"app-metrics-{name}" for name in ("orphan", "foreign", "linked"))
    for folder in (orphan, foreign):
        folder.mkdir()
        (folder / "counter_0.db").write_bytes(b"old")
    (orphan / "lock").touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "lock").touch()
    linked.symlink_to(elsewhere)
    last = MetricFiles(tmp_path).directory
    assert {in_use, foreign, linked, elsewhere, last} == set(tmp_path.iterdir())
    assert (elsewhere / "lock").exists()
