# ruff: noqa: T201 - printing is what this is for
"""Print what the service costs, against other candidates and its targets.

`python -m tests.benchmark.main [--smoke] [FILE]` prints tables for people; FILE, build/bench.json by default, has the
same for machines. The exit status is 1 when a candidate does not run or answers wrongly, and never because of a figure.
With --smoke everything runs as briefly as it goes, which says that it works and nothing else.
"""

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmark import cost, first_answer, host, large_sums, peak_memory, report, scrape, small_sum, wrk
from tests.benchmark.candidates import WrongAnswerError
from tests.benchmark.report import Figure


@dataclass(frozen=True)
class Rounds:
    """How often and how long things are measured."""

    load: int = 5
    load_seconds: int = 3
    warm_up_seconds: int = 1
    starts: int = 3
    turns: int = 7
    calls: int = 2000
    counted: tuple[str, ...] = ("floor", "naive", "ours")
    counted_calls: int = 500
    large: int = 5
    numbers: int = 1_000_000
    deaths: int = 500
    scrapes: int = 150
    mebibytes: int = 16
    containers: int = 5


SMOKE = Rounds(
    load=1,
    load_seconds=1,
    warm_up_seconds=0,
    starts=1,
    turns=1,
    calls=10,
    counted=("floor",),
    counted_calls=1,
    large=1,
    numbers=1000,
    deaths=10,
    scrapes=2,
    mebibytes=1,
    containers=1,
)


NO_WRK = "no wrk"


class Report:
    """Collects what is measured, and prints the tables as soon as they are known."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.figures: dict[str, Figure] = {}
        self.raw: dict[str, Any] = {"machine": host.describe()}

    def add(self, name: str, raw: Any, **figures: Figure) -> None:
        """Take in what has been measured."""
        self.raw[name] = raw
        self.figures |= figures
        print(f"{time.monotonic() - self._began:5.0f} s: {name}", file=sys.stderr, flush=True)

    def lack(self, name: str, reason: str, *figures: str) -> None:
        """Note that something can't be measured here."""
        self.add(name, {}, **dict.fromkeys(figures, reason))


def measure_load(to: Report, rounds: Rounds) -> None:
    """Measure the requests per second of all candidates."""
    if "wrk" in host.missing_programs():
        to.lack("load", NO_WRK, "rate_usual", "rate_fastapi", "rate_bare", "p99_usual", "p99_fastapi")
        return
    loads = wrk.measure(rounds.load, rounds.load_seconds, rounds.warm_up_seconds)
    rates = {name: median(one.per_second for one in all_) for name, all_ in loads.items()}
    p50s = {name: median(one.p50_ms for one in all_) for name, all_ in loads.items()}
    p99s = {name: median(one.p99_ms for one in all_) for name, all_ in loads.items()}
    to.add(
        "load",
        {"requests per second": rates, "p50 ms": p50s, "p99 ms": p99s},
        rate_usual=rates["ours"] / rates["usual"],
        rate_fastapi=rates["ours"] / rates["fastapi"],
        rate_bare=rates["ours"] / rates["bare"],
        p99_usual=p99s["ours"] / p99s["usual"],
        p99_fastapi=p99s["ours"] / p99s["fastapi"],
    )


def measure_small_sum(to: Report, rounds: Rounds) -> None:
    """Measure one small sum in process."""
    columns = {}
    for title, shares_cpu in (("CPU us", True), ("CPU us, log read on another CPU", False)):
        seconds = small_sum.measure(rounds.starts, rounds.turns, rounds.calls, shares_cpu=shares_cpu)
        columns[title] = {name: value * 1e6 for name, value in seconds.items()}
    to.add("small sum", columns, small_sum=columns["CPU us"]["ours"] / columns["CPU us"]["naive"])
    thousands = {
        name: value / 1000 for name, value in small_sum.instructions(rounds.counted, rounds.counted_calls).items()
    }
    to.add("instructions", {"1,000 instructions": thousands})


def measure_large_sums(to: Report, rounds: Rounds) -> None:
    """Measure a million numbers in process, and fewer."""
    seconds = large_sums.measure(rounds.large, rounds.numbers)
    to.add(
        "a million numbers",
        seconds,
        integers_json=seconds["integers"]["ours"] / seconds["integers"]["json"],
        integers_orjson=seconds["integers"]["ours"] / seconds["integers"]["orjson"],
        decimal_strings=seconds["decimal_strings"]["ours"] / seconds["decimal_strings"]["json"],
        decimal_numbers=seconds["decimal_numbers"]["ours"] / seconds["decimal_numbers"]["json"],
    )
    per_number = large_sums.per_number(rounds.large, rounds.numbers)
    to.add("CPU seconds per number", per_number, growth=large_sums.growth(per_number))


def measure_memory(to: Report, rounds: Rounds) -> None:
    """Measure the memory at rest and at its peak."""
    to.add("memory at rest", rest := peak_memory.at_rest(), memory=rest / 1e6)
    ordinary = peak_memory.peaks(cost.ORDINARY, rounds.mebibytes)
    costliest = peak_memory.peaks(peak_memory.COSTLIEST, rounds.mebibytes)
    to.add(
        "peak memory",
        ordinary | costliest,
        peak_ordinary=max(ordinary.values()),
        peak_costliest=max(costliest.values()),
    )


def measure_scrape(to: Report, rounds: Rounds) -> None:
    """Measure the time of a scrape."""
    if "wrk" in host.missing_programs():
        to.lack("scrape", NO_WRK, "scrape")
        return
    seconds = scrape.measure(rounds.deaths, rounds.scrapes)
    to.add("scrape", seconds, scrape=seconds["after deaths"] / seconds["fresh"])


def measure_first_answer(to: Report, rounds: Rounds) -> None:
    """Measure the start of a container."""
    if reason := first_answer.obstacle():
        to.lack("start", reason, "start")
    else:
        to.add("start", seconds := first_answer.measure(rounds.containers), start=seconds)


PARTS = (
    measure_load,
    measure_small_sum,
    measure_large_sums,
    measure_memory,
    measure_scrape,
    measure_first_answer,
)


def print_tables(to: Report) -> None:
    """Print all tables."""
    raw = to.raw
    print("\n" + ", ".join(f"{name} {value}" for name, value in raw["machine"].items()))
    print("\n" + report.target_table(to.figures))
    print("\n" + report.candidate_table(raw["load"] | raw["small sum"] | raw["instructions"]))
    nanoseconds = {
        kind: {f"{size:,}": seconds * 1e9 for size, seconds in times.items()}
        for kind, times in raw["CPU seconds per number"].items()
    }
    print(
        "\nCPU time of one number, in ns:\n" + report.candidate_table(nanoseconds).replace("candidate", "numbers  ", 1)
    )


def main(arguments: list[str]) -> int:
    """Measure everything; 1 if a candidate does not run or answers wrongly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("file", nargs="?", type=Path, default=Path("build/bench.json"))
    options = parser.parse_args(arguments)
    if missing := " ".join(host.missing_programs()):
        print(f"not installed: {missing} (Debian: apt-get install {missing})", file=sys.stderr)
        if os.environ.get("CI"):
            return 1
    rounds = SMOKE if options.smoke else Rounds()
    to = Report()
    try:
        for measure in PARTS:
            measure(to, rounds)
    except WrongAnswerError as error:
        print(error, file=sys.stderr)
        return 1
    print_tables(to)
    report.write(options.file, to.raw | {"targets": report.targets_as_json(to.figures)})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
