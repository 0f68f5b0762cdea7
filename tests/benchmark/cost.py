# ruff: noqa: T201 - printing is what this is for
"""Print what the costliest bodies cost: `python -m tests.benchmark.cost [--invented NUMBER] [MiB ...]`.

The sizes are 1 and 16 MiB by default. The CPU time of each body is told as a ratio to what the naive way takes for a
body of the same size full of "123.45". The contract allows at most 3: the exit status is 1 if one of them takes more.
Measured are the kinds that are known, and some that are put together by lot, other ones with each NUMBER.
"""

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import partial
from statistics import median

from app.sums.decoding import BodyError
from app.sums.summation import add
from tests.benchmark.body_shapes import repeated
from tests.benchmark.costly_bodies import COSTLY
from tests.benchmark.invented_bodies import invent

MEBIBYTE = 1024 * 1024
HIGHEST_RATIO = 3.0
TURNS = 5

# Invented bodies that are looked at once. The costliest of them are measured like those that are known.
INVENTED = 400

# Of the larger sizes, only the costliest are measured: all of them would take an hour.
LARGER = 10

Shapes = Mapping[str, Callable[[int], bytes]]


def naive(body: bytes) -> Decimal | int:
    """Add as the contract's naive way does."""
    return sum(map(Decimal, json.loads(body)["data"]))


def ours(body: bytes) -> None:
    """Add as the service does; the refusal of a body counts like a sum."""
    with suppress(BodyError):
        add(body)


def cpu_seconds(way: Callable[[bytes], object], body: bytes) -> float:
    """Measure one addition."""
    gc.collect()
    began = time.process_time()
    way(body)
    return time.process_time() - began


def outcome(body: bytes) -> str:
    """Tell whether a body is added, or why not."""
    try:
        return f"{add(body).numbers} numbers"
    except BodyError as error:
        return str(error)[:60]


def measure(mebibytes: int, shapes: Shapes) -> list[tuple[float, str]]:
    """Print the ratios of some bodies of one size, and return them, the highest first."""
    size = mebibytes * MEBIBYTE
    ordinary = repeated('"123.45"')(size)
    results = []
    for name, shape in shapes.items():
        body = shape(size)
        assert 0.99 * size <= len(body) <= size, (name, len(body))
        # In turns, so that a busy machine slows both sides; medians, so that one hiccup is none.
        turns = [(cpu_seconds(naive, ordinary), cpu_seconds(ours, body)) for _ in range(TURNS)]
        naive_seconds, seconds = (median(values) for values in zip(*turns, strict=True))
        results.append((seconds / naive_seconds, name))
        print(
            f"{mebibytes:3} MiB {seconds / naive_seconds:6.2f} {seconds:8.3f} s  {name} ({outcome(body)})", flush=True
        )
    return sorted(results, reverse=True)


def invented(first: int) -> Shapes:
    """Invent bodies, and choose the costliest of them."""
    seconds = {number: cpu_seconds(ours, invent(number, MEBIBYTE)) for number in range(first, first + INVENTED)}
    costliest = sorted(seconds, key=seconds.__getitem__, reverse=True)[:LARGER]
    return {f"invented, number {number}": partial(invent, number) for number in costliest}


def main(arguments: Iterable[str]) -> int:
    """Measure all bodies of the first size, and the costliest of them in the other sizes; 1 if one costs too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--invented", type=int, default=0, metavar="NUMBER", help="the first of the invented bodies")
    parser.add_argument("mebibytes", type=int, nargs="*", default=[1, 16], metavar="MiB")
    options = parser.parse_args(list(arguments))
    shapes = {**COSTLY, **invented(options.invented)}
    highest = 0.0
    for size in options.mebibytes:
        results = measure(size, shapes)
        highest = max(highest, results[0][0])
        shapes = {name: shapes[name] for _, name in results[:LARGER]}
        print(f"highest of {size} MiB: {results[0][0]:.2f} {results[0][1]}; allowed {HIGHEST_RATIO}")
    return 1 if highest > HIGHEST_RATIO else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
