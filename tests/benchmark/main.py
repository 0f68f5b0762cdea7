# ruff: noqa: T201 - printing is what this is for
"""Print what the service costs, against other candidates and its targets.

`python -m tests.benchmark.main [--smoke] [--revision REVISION] [FILE]` prints tables for people; FILE,
build/bench.json by default, has the same for machines. The exit status is 1 when a candidate does not run or answers
wrongly, and never because of a figure.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from tests.benchmark import host, report
from tests.benchmark.parts import measure_all
from tests.benchmark.results import Results
from tests.benchmark.rounds import SMOKE, Rounds
from tests.benchmark.running import WrongAnswerError


def tables(results: Results) -> str:
    """Make all tables."""
    raw = results.raw
    millions, numbers = scaled(raw["a million numbers"], 1e3), scaled(raw["CPU seconds per number"], 1e9)
    parts = (
        ", ".join(f"{name} {value}" for name, value in raw["machine"].items()),
        report.target_table(results.figures),
        report.summary(results.figures),
        report.columns_table("candidate", raw["load"] | raw["small sum"] | raw["instructions"]),
        "Requests/s with `Connection: close`, naive on gthread:\n" + report.columns_table("workers", raw["closing"]),
        "CPU time of a million numbers, in ms:\n" + report.columns_table("way", millions),
        "CPU time of one number, in ns:\n" + report.columns_table("numbers", numbers),
    )
    return "\n" + "\n\n".join(parts)


def scaled(table: dict[str, dict[Any, float]], factor: float) -> dict[str, dict[Any, float]]:
    """Change the unit of a table."""
    return {name: {key: value * factor for key, value in values.items()} for name, values in table.items()}


def main(arguments: list[str]) -> int:
    """Measure everything; 1 if a candidate does not run or answers wrongly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="run everything as briefly as it goes: does it work?")
    parser.add_argument("--revision", help="one more candidate: an earlier revision of this project")
    parser.add_argument("file", nargs="?", type=Path, default=Path("build/bench.json"))
    options = parser.parse_args(arguments)
    if missing := " ".join(host.missing_programs()):
        print(f"not installed: {missing} (Debian: apt-get install {missing})", file=sys.stderr)
        if os.environ.get("CI"):
            return 1
    results = Results()
    try:
        measure_all(results, SMOKE if options.smoke else Rounds(), options.revision)
    except WrongAnswerError as error:
        print(error, file=sys.stderr)
        return 1
    text = tables(results)
    # A second of load and a thousand numbers, under the names of the real figures, would only mislead.
    print("every candidate runs and answers rightly; for figures: make bench" if options.smoke else text)
    report.write(
        options.file, results.raw | {"smoke": options.smoke, "targets": report.targets_as_json(results.figures)}
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
