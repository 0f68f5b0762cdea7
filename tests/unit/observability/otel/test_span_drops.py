"""Dropped spans: all are counted, few lines tell of them."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY

from app.observability.otel import span_drops
from app.observability.otel.span_drops import SpanDrops
from tests.support.file_lock import locked

if TYPE_CHECKING:
    from tests.support.log_lines import Lines


def dropped() -> float:
    """Read the count."""
    return REGISTRY.get_sample_value("otel_spans_dropped_total") or 0.0


def test_a_line_a_minute(log_lines: "Lines", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All processes of a server together log one line a minute, with what has been dropped since the last one."""
    now = 1000.0
    monkeypatch.setattr(span_drops, "monotonic", lambda: now)
    one, other = SpanDrops(tmp_path), SpanDrops(tmp_path)
    before = dropped()
    for second in range(121):
        now = 1000.0 + second
        for drops, spans, reason in [(one, 2, "one"), (other, 1, "other")][:: 1 if second == 0 else -1]:
            drops.add(spans, reason)
    expected = [("one", 2), ("other", 61), ("other", 60)]
    assert before + 363 == dropped()
    assert expected == [(line["reason"], line["spans"]) for line in log_lines.json]
    assert {("spans dropped", "warning")} == {(line["event"], line["level"]) for line in log_lines.json}


def test_without_the_folder(log_lines: "Lines", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the folder is gone, with a master that was killed, the process keeps to a line a minute by itself."""
    now = 1000.0
    monkeypatch.setattr(span_drops, "monotonic", lambda: now)
    drops = SpanDrops(tmp_path / "gone")
    for second in range(61):
        now = 1000.0 + second
        drops.add(1, "a")
    assert [1, 60] == [line["spans"] for line in log_lines.json]


def test_a_process_that_is_suspended_while_it_tells(log_lines: "Lines", tmp_path: Path) -> None:
    """It holds up no other, which leaves the line to it and goes on to count."""
    before = dropped()
    (tmp_path / "spans-dropped").touch()
    with locked(tmp_path / "spans-dropped"):
        SpanDrops(tmp_path).add(2, "a")
    assert ([], before + 2) == (log_lines.json, dropped())


def test_a_process_that_ends(log_lines: "Lines", tmp_path: Path) -> None:
    """What was dropped since the last line is told at the end, once."""
    drops = SpanDrops(tmp_path)
    drops.end()
    for reason in ("first", "second", "third"):
        drops.add(1, reason)
    drops.end()
    drops.end()
    assert [("first", 1), ("third", 2)] == [(line["reason"], line["spans"]) for line in log_lines.json]
