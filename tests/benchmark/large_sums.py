"""Large sums in process: CPU times of a million numbers and fewer, against the best that a user writes in a line."""

import gc
import json
import time
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from random import Random
from statistics import median

import orjson

from app.sums.summation import add

MILLION = 1_000_000
FEWEST = 10

# A short measurement repeats what it measures until it has added this many numbers: the clock is too coarse.
NUMBERS_AT_LEAST = 300_000


def integers_as_strings(count: int) -> bytes:
    """Make a body of integers below a million."""
    random = Random(1)  # noqa: S311 - the same body in each run
    return json.dumps({"data": [str(random.randrange(MILLION)) for _ in range(count)]}).encode()


def decimals(count: int, template: str) -> bytes:
    """Make a body of amounts of money, up to 100,000."""
    random = Random(2)  # noqa: S311 - the same
    return _body(template, (f"{random.randrange(10_000_000) / 100:.2f}" for _ in range(count)))


def mixture(count: int, template: str) -> bytes:
    """Make a body of numbers of either sign, below 100,000, of no to four decimals."""
    random = Random(3)  # noqa: S311 - the same
    return _body(template, (f"{random.uniform(-1e5, 1e5):.{random.randrange(5)}f}" for _ in range(count)))


def _body(template: str, numbers: Iterable[str]) -> bytes:
    return ('{"data": [' + ", ".join(template % number for number in numbers) + "]}").encode()


def sum_of_ints(body: bytes) -> int:
    """Add integers as a handler does whose author knows the library."""
    return sum(map(int, json.loads(body)["data"]))


def sum_of_strings(body: bytes) -> int | Decimal:
    """Add strings as a handler does whose author knows the library: the default context still rounds to 28 digits."""
    return sum(map(Decimal, json.loads(body)["data"]))


def sum_of_numbers(body: bytes) -> int | Decimal:
    """Add numbers as a handler does whose author knows the library: no float, but as many digits as in strings."""
    return sum(json.loads(body, parse_float=Decimal, parse_int=Decimal)["data"])


def ours(body: bytes) -> str:
    """Add as the service does."""
    return add(body).text


def in_turns(rounds: int, body: bytes, ways: Mapping[str, Callable[[bytes], object]]) -> dict[str, float]:
    """Measure several ways with one body, in turns; medians of CPU seconds."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            seconds[name].append(cpu_seconds(way, body, 1))
    return {name: median(values) for name, values in seconds.items()}


def cpu_seconds(way: Callable[[bytes], object], body: bytes, repetitions: int) -> float:
    """Measure how much CPU time one call takes, the release of what it has made included."""
    gc.collect()
    began = time.process_time()
    for _ in range(repetitions):
        way(body)
    return (time.process_time() - began) / repetitions


def measure(rounds: int, count: int) -> dict[str, dict[str, float]]:
    """Measure integers and decimals; both ways agree on the sum."""
    cases: dict[str, tuple[bytes, Callable[[bytes], int | Decimal]]] = {
        "integers": (integers_as_strings(count), sum_of_ints),
        "decimal_strings": (decimals(count, '"%s"'), sum_of_strings),
        "decimal_numbers": (decimals(count, "%s"), sum_of_numbers),
        "mixed_strings": (mixture(count, '"%s"'), sum_of_strings),
        "mixed_numbers": (mixture(count, "%s"), sum_of_numbers),
    }
    results = {}
    for name, (body, competent) in cases.items():
        assert Decimal(ours(body)) == competent(body), name
        results[name] = in_turns(rounds, body, {"ours": ours, "competent": competent, "orjson": orjson.loads})
    return results


def per_number(rounds: int, most: int) -> dict[str, dict[int, float]]:
    """Measure the CPU seconds per number of sums of ten numbers to `most`, and those of json.loads for scale."""
    sizes = [FEWEST]
    while sizes[-1] < most:
        sizes.append(10 * sizes[-1])
    kinds: dict[str, tuple[Callable[[bytes], object], Callable[[int], bytes]]] = {
        "integers as strings": (ours, integers_as_strings),
        "decimals as strings": (ours, lambda count: decimals(count, '"%s"')),
        "decimals as numbers": (ours, lambda count: decimals(count, "%s")),
        "a mixture as strings": (ours, lambda count: mixture(count, '"%s"')),
        "a mixture as numbers": (ours, lambda count: mixture(count, "%s")),
        "json.loads alone": (json.loads, lambda count: decimals(count, '"%s"')),
    }
    results = {}
    for kind, (way, make) in kinds.items():
        bodies = {size: make(size) for size in sizes}
        seconds: dict[int, list[float]] = {size: [] for size in sizes}
        for _ in range(rounds):
            for size, body in bodies.items():
                repetitions = max(1, NUMBERS_AT_LEAST // size)
                seconds[size].append(cpu_seconds(way, body, repetitions) / size)
        results[kind] = {size: median(values) for size, values in seconds.items()}
    return results


def growth(seconds: Mapping[str, Mapping[int, float]]) -> float:
    """Tell how much more a number costs among the most than among the fewest, of the kind where it is most."""
    return max(times[max(times)] / times[FEWEST] for kind, times in seconds.items() if "json" not in kind)
