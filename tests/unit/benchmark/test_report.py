"""The report of the benchmark: figures beside their targets, for people and for machines."""

import pytest

from tests.benchmark.report import columns_table, summary, target_table, targets_as_json
from tests.benchmark.targets import TARGETS, Target

MET = {target.key: target.limit for target in TARGETS}


@pytest.mark.parametrize(
    ("is_minimum", "figure", "is_met"),
    [
        (False, 1.99, True),
        (False, 2.0, True),
        (False, 2.01, False),
        (True, 1.99, False),
        (True, 2.0, True),
        (True, 2.01, True),
    ],
)
def test_limit(is_minimum: bool, figure: float, is_met: bool) -> None:
    """A figure on the limit is within it, whichever side is the good one."""
    assert is_met == Target("key", "what", 2.0, "s", is_minimum=is_minimum).is_met(figure)


@pytest.mark.parametrize(
    ("figure", "cells"),
    [
        (0.6, "0.60 | at most 0.6 s | met"),
        (0.61, "0.61 | at most 0.6 s | MISSED"),
        ("no Docker", "not measured: no Docker | at most 0.6 s |"),
    ],
)
def test_row(figure: float | str, cells: str) -> None:
    """A row tells the figure, its target and whether it is met, or why there is no figure."""
    (row,) = [line for line in target_table(MET | {"start": figure}).splitlines() if "docker run" in line]
    assert cells in " ".join(row.split())


def test_every_target_has_a_row() -> None:
    """No target goes without a figure, or without the reason why there is none."""
    assert len(TARGETS) + 2 == len(target_table(MET).splitlines())
    with pytest.raises(KeyError):
        target_table({})


def test_summary() -> None:
    """The summary names what is missed, and counts what could not be measured."""
    lines = summary(MET | {"start": "no Docker", "memory": 71.0}).splitlines()
    assert [
        f"1 of {len(TARGETS)} targets missed, 1 not measured",
        "- memory (PSS) of the whole tree at rest (at most 70 MB)",
    ] == lines


def test_columns() -> None:
    """What has not been measured of a candidate is a dash, and not a zero."""
    rows = columns_table("candidate", {"a": {"x": 1.25}, "b": {"y": 12345.0}}).splitlines()
    assert ["| x | 1.2 | - |", "| y | - | 12,345.0 |"] == [" ".join(row.split()) for row in rows[2:]]


def test_numbered_rows() -> None:
    """Rows may be numbers."""
    (row,) = columns_table("numbers", {"a": {1000: 1.5}}).splitlines()[2:]
    assert "| 1,000 | 1.5 |" == " ".join(row.split())


def test_json() -> None:
    """For machines, a figure that is missing is null, and so is whether it meets its target."""
    by_key = {entry["key"]: entry for entry in targets_as_json(MET | {"start": "no Docker", "memory": 71.0})}
    assert (None, "no Docker", None) == tuple(by_key["start"][name] for name in ("figure", "not_measured", "met"))
    assert (71.0, None, False) == tuple(by_key["memory"][name] for name in ("figure", "not_measured", "met"))
