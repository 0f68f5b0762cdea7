"""The report: tables for people, and the same as JSON for machines."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmark.targets import TARGETS

# A figure, or the reason why there is none.
Figure = float | str


def target_table(figures: Mapping[str, Figure]) -> str:
    """Print each figure beside its target."""
    rows = [("what", "figure", "target", "")]
    for target in TARGETS:
        figure = figures[target.key]
        if isinstance(figure, str):
            rows.append((target.what, f"not measured: {figure}", str(target), ""))
        else:
            rows.append((target.what, f"{figure:.2f}", str(target), "met" if target.is_met(figure) else "MISSED"))
    return table(rows)


def summary(figures: Mapping[str, Figure]) -> str:
    """Name the targets that are missed, and count those of which nothing is known."""
    known = {target: figure for target in TARGETS if not isinstance(figure := figures[target.key], str)}
    missed = [f"{target.what} ({target})" for target, figure in known.items() if not target.is_met(figure)]
    unknown = len(TARGETS) - len(known)
    return f"{len(missed)} of {len(TARGETS)} targets missed, {unknown} not measured" + "".join(
        f"\n- {target}" for target in missed
    )


def columns_table(title: str, columns: Mapping[str, Mapping[str | int, float]]) -> str:
    """Print what has been measured, each column of its own rows; a dash where there is nothing."""
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    rows = [
        (
            name if isinstance(name, str) else f"{name:,}",
            *(f"{column[name]:,.1f}" if name in column else "-" for column in columns.values()),
        )
        for name in names
    ]
    return table([(title, *columns), *rows])


def table(rows: Iterable[Sequence[str]]) -> str:
    """Make a table of Markdown, which terminals show as well as GitHub does."""
    head, *body = rows
    widths = [max(len(row[column]) for row in (head, *body)) for column in range(len(head))]
    lines = [head, tuple("-" * width for width in widths), *body]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def targets_as_json(figures: Mapping[str, Figure]) -> list[dict[str, Any]]:
    """Return each figure with its target; where nothing was measured, `figure` and `met` are null."""
    return [
        {
            "key": target.key,
            "what": target.what,
            "figure": None if isinstance(figure := figures[target.key], str) else figure,
            "not_measured": figure if isinstance(figure, str) else None,
            "target": str(target),
            "met": None if isinstance(figure, str) else target.is_met(figure),
        }
        for target in TARGETS
    ]


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write the report for machines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")
