# ruff: noqa: T201 - printing is what this is for
"""Print what the costliest bodies cost: `python -m tests.benchmark.cost [MiB ...]`, 1 and 16 by default.

Each body is as large as the ordinary ones beside it, and its CPU time is told as a ratio to theirs. The contract allows
at most 4: the exit status is 1 if one of them takes more.
"""

import gc
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain, count
from random import Random
from statistics import median

from app.decoding import BodyError
from app.summation import add

MEBIBYTE = 1024 * 1024
HIGHEST_RATIO = 4.0
TURNS = 3

# So many of the costliest are measured in the larger sizes, too: all of them would take an hour.
LARGER = 10

EXTREMES = ("1e1000", "1e-1000")

random = Random(2)  # noqa: S311 - the same bodies in each run


def repeated(element: str, *, last: str = "") -> Callable[[int], bytes]:
    """Make bodies of one element, repeated, and perhaps another one at the end."""
    return filled(lambda: iter(lambda: element, None), last=last)


def filled(elements: Callable[[], Iterator[str]], *, last: str = "") -> Callable[[int], bytes]:
    """Make bodies of elements, as many as fit."""

    def body(size: int) -> bytes:
        parts = []
        length = len('{"data":[]}') + len(last.encode()) + 1
        for element in elements():
            length += len(element.encode()) + 1
            if length > size:
                break
            parts.append(element)
        if last:
            parts.append(last)
        return padded('{"data":[' + ",".join(parts) + "]}", size)

    return body


def padded(text: str, size: int) -> bytes:
    """Fill a body up with white space, which JSON allows at its end."""
    return text.encode().ljust(size)


def framed(prefix: str, unit: str, suffix: str) -> Callable[[int], bytes]:
    """Make bodies of a unit, repeated, between two texts."""

    def body(size: int) -> bytes:
        return padded(prefix + unit * ((size - len(prefix) - len(suffix)) // len(unit.encode())) + suffix, size)

    return body


def cycled(*elements: str, last: str = "") -> Callable[[int], bytes]:
    """Make bodies of several elements in turns."""

    def endless() -> Iterator[str]:
        while True:
            yield from elements

    return filled(endless, last=last)


def drawn(draw: Callable[[], str], *, last: str = "") -> Callable[[int], bytes]:
    """Make bodies of elements that are drawn by lot."""
    return filled(lambda: iter(draw, None), last=last)


def extremes_then(draw: Callable[[], str]) -> Callable[[int], bytes]:
    """Make bodies of the two most distant numbers, and of elements that are drawn by lot."""
    return filled(lambda: chain(EXTREMES, iter(draw, None)))


def numbered(template: str, first: int = 0, *, last: str = "") -> Callable[[int], bytes]:
    """Make bodies of elements that are all different."""
    return filled(lambda: (template % number for number in count(first)), last=last)


def two_places() -> str:
    """Draw an amount of money."""
    return f"{random.randrange(10_000_000) / 100:.2f}"


def digits(number: int) -> str:
    """Draw so many digits."""
    return str(random.randrange(10 ** (number - 1), 10**number))


ORDINARY = {
    "numbers": drawn(two_places),
    "strings": drawn(lambda: f'"{two_places()}"'),
}

COSTLY = {
    "integers of one digit": drawn(lambda: digits(1)),
    "the same digit": repeated("1"),
    "digits as strings": drawn(lambda: f'"{digits(1)}"'),
    "one decimal": drawn(lambda: f"{digits(1)}.{digits(1)}"),
    "tiny exponents": drawn(lambda: f"{digits(1)}e{digits(1)}"),
    "tiny negative exponents": drawn(lambda: f"{digits(1)}e-{digits(1)}"),
    "integers of 18 digits": drawn(lambda: digits(18)),
    "integers of 20 digits": drawn(lambda: digits(20)),
    "integers of 20 digits as strings": drawn(lambda: f'"{digits(20)}"'),
    "integers of 4 digits and one of 20": drawn(lambda: digits(4), last=digits(20)),
    "integers and one decimal": drawn(lambda: digits(4), last="0.5"),
    "digits and one decimal": repeated("1", last="0.5"),
    "all different integers and one decimal": numbered("%d", last="0.5"),
    "digits as strings and one decimal": repeated('"1"', last='"0.5"'),
    "highest place": repeated("1e1000"),
    "lowest place": repeated("1e-1000"),
    "both ends": cycled(*EXTREMES),
    "both ends as strings": cycled('"1e1000"', '"1e-1000"'),
    "both ends, then digits": extremes_then(lambda: "1"),
    "both ends, then decimals": extremes_then(two_places),
    "both ends, then short exponents": extremes_then(lambda: f"{digits(1)}e{digits(3)}"),
    "any place": drawn(lambda: f"{digits(1)}e{random.randrange(-1000, 1000)}"),
    "any place, two digits": drawn(lambda: f"{digits(2)}e{random.randrange(-999, 999)}"),
    "1,000 digits": drawn(lambda: digits(1000)),
    "1,000 digits as strings": drawn(lambda: f'"{digits(1000)}"'),
    "1,000 digits behind the point": drawn(lambda: "0." + digits(1000)),
    "1,000 digits, lowest": drawn(lambda: digits(1000) + "e-1000"),
    "1,000 digits around the point": drawn(lambda: digits(500) + "." + digits(500)),
    "1,000 digits and both ends": extremes_then(lambda: digits(1000)),
    "100 digits": drawn(lambda: digits(100)),
    "40 digits": drawn(lambda: digits(40)),
    "signs": drawn(lambda: f"-{digits(1)}.{digits(1)}"),
    "plus signs": drawn(lambda: f'"+{digits(2)}"'),
    "leading zeros": drawn(lambda: f'"00{digits(2)}"'),
    "1,000 leading zeros": repeated('"' + "0" * 1000 + '1"'),
    "long zero": repeated("0." + "0" * 998),
    "zeros of any place": drawn(lambda: f"0e{random.randrange(-1000, 1000)}"),
    "zeros far away": repeated("0e999999999"),
    "zeros far below": repeated("0e-999999999"),
    "strings with white space": drawn(lambda: f'" {digits(2)} "'),
    "strings with much white space": drawn(lambda: '"' + " " * 50 + digits(2) + '"'),
    "strings with tabs": drawn(lambda: f'"\\t{digits(2)}\\n"'),
    "one string with white space at the end": repeated('"1.5"', last='" 1"'),
    "short strings, one with white space": drawn(lambda: f'"{digits(1)}"', last='" 1.5"'),
    "different strings, one with white space": numbered('"%d"', 1000, last='" 1.5 "'),
    "both ends and white space": cycled('" 1e1000"', '"1e-1000 "'),
    "escapes": repeated('"\\u0031"'),
    "escaped exponent": repeated('"1\\u0065\\u0031"'),
    "one escape at the end": repeated("1", last='"\\u0031"'),
    "different integers, one escape": numbered("%d", last='"\\u0031"'),
    "other scripts": repeated('"\u0661"'),
    "other scripts at the end": repeated('"1"', last='"\u0661"'),
    "different ones, other scripts at the end": numbered('"%d"', last='"\u0661"'),
    "trues": repeated("true"),
    "true at the end": repeated("1", last="true"),
    "true at the end of decimals": drawn(two_places, last="true"),
    "true at the end of strings": repeated('"1"', last="true"),
    "null at the end": numbered("%d", last="null"),
    "no number at the end": repeated("1", last='"abc"'),
    "no number at the end of different ones": numbered('"%d"', last='"abc"'),
    "NaN at the end": repeated('"1"', last='"NaN"'),
    "NaN at the end of decimals": drawn(two_places, last='"NaN"'),
    "NaNs": repeated('"NaN"'),
    "sNaN at the end": repeated('"1"', last='"sNaN"'),
    "infinities": cycled('"Infinity"', '"-Infinity"'),
    "NaN with digits": drawn(two_places, last='"NaN' + "1" * 900 + '"'),
    "out of range at the end": repeated("1", last="1e1001"),
    "out of range at the end of decimals": drawn(two_places, last="1e1001"),
    "out of range at the end, white space before": drawn(lambda: f'" {digits(2)}"', last='"1e1001"'),
    "5,000 digits at the end": repeated("1", last="1" * 5000),
    "5,000 digits at the end of decimals": drawn(two_places, last="1" * 5000),
    "one number of the whole size": framed('{"data":[', "1", "]}"),
    "one decimal of the whole size": framed('{"data":[0.', "1", "]}"),
    "one string of the whole size": framed('{"data":["', "1", '"]}'),
    "one exponent of the whole size": framed('{"data":[1e', "1", "]}"),
    "one negative exponent of the whole size": framed('{"data":["1e-', "1", '"]}'),
    "one exponent of zeros of the whole size": framed('{"data":["1e', "0", '1"]}'),
    "one string of white space": framed('{"data":["', " ", '1"]}'),
    "one string of zeros": framed('{"data":["', "0", '1"]}'),
    "4,300 digits": drawn(lambda: digits(4300)),
    "4,300 digits as strings": drawn(lambda: f'"{digits(4300)}"'),
    "4,000 digits at the end": repeated("1", last="1" * 4000),
    "empty lists": repeated("[]"),
    "empty objects": repeated("{}"),
    "empty strings": repeated('""'),
    "lists at the end": repeated("1", last="[[]]"),
    "list at the end of decimals": drawn(two_places, last="[]"),
    "nested lists": framed('{"data":[', "[", ""),
    "nested lists, closed": lambda size: padded(
        '{"data":[' + "[" * ((size - 12) // 2) + "]" * ((size - 12) // 2) + "]}", size
    ),
    "nested objects": framed('{"data":[', '{"a":', ""),
    "moderately nested lists": repeated("[" * 500 + "]" * 500),
    "objects of many members": lambda size: padded(
        '{"data":[{' + ",".join(f'"{number}":1' for number in range(size // 12)) + "}]}", size
    ),
    "other members": lambda size: padded(
        "{" + ",".join(f'"{number}":1' for number in range(size // 12)) + ',"data":[1]}', size
    ),
    "other member of nested lists": framed('{"data":[1],"other":[', "[],", "[]]}"),
    "other member with brackets": framed('{"data":[0.5],"other":"', "[{", '"}'),
    "brackets in strings": repeated('"[{"'),
    "brackets in another member, then digits": lambda size: (
        repeated("1.5")(size // 2)[:-1].rstrip()[:-1] + b',"other":"' + b"[" * (size - size // 2 - 32) + b'"}'
    ),
    "other member beyond ASCII": framed('{"data":[1],"other":"', "\u00e9", '"}'),
    "other member of escapes": framed('{"data":[1],"other":"', "\\u00e9", '"}'),
    "other member of decimals": framed('{"data":[1],"other":[', "1.5,", "1]}"),
    "many times data": framed("{", '"data":[],', '"data":[1]}'),
    "many times data with numbers": framed("{", '"data":[1.5,2.5],', '"data":[1]}'),
    "no data": framed('{"other":[', "1,", "1]}"),
    "data is an object": framed('{"data":{"a":[', "1,", "1]}}"),
    "no object": framed("[", "1,", "1]"),
    "white space": framed('{"data":[', " ", "]}"),
    "white space between": repeated("1\n\t"),
    "nothing but white space": framed("", " ", ""),
    "cut short": framed('{"data":[', "1,", ""),
    "cut short decimals": framed('{"data":[', "1.5,", ""),
    "trailing text": framed('{"data":[', "1,", "1]}x"),
    "bad UTF-8 at the end": lambda size: framed('{"data":["', "1", "")(size - 1).rstrip() + b"\xff",
    "bad UTF-8 behind characters of two bytes": lambda size: (
        framed('{"data":["', "\u00e9", "")(size - 1).rstrip() + b"\xff"
    ),
    "alternating signs": cycled("1e1000", "-1e1000"),
    "alternating numbers and strings": cycled("1", '"1"'),
    "carries": cycled("9" * 1000, "1"),
    "nines at both ends": cycled("9.9e1000", "9e-1000"),
    "few different extremes": cycled(
        *(f"{digit}e{sign}{1000 - place}" for digit in "19" for sign in ("", "-") for place in range(1, 9))
    ),
    "short ones below the threshold": extremes_then(lambda: f"{digits(1)}.{digits(4)}"),
    "at the threshold, both ends": extremes_then(lambda: f"{digits(6)}"),
    "just above the threshold, both ends": extremes_then(lambda: f"{digits(7)}"),
    "8 bytes, any place": extremes_then(lambda: f"{digits(2)}e{random.randrange(100, 900)}"),
}


def cpu_seconds(body: bytes) -> float:
    """Measure one addition; the refusal of a body counts like a sum."""
    gc.collect()
    began = time.process_time()
    with suppress(BodyError):
        add(body)
    return time.process_time() - began


def outcome(body: bytes) -> str:
    """Tell whether a body is added, or why not."""
    try:
        return f"{add(body).numbers} numbers"
    except BodyError as error:
        return str(error)[:60]


def measure(mebibytes: int, names: Iterable[str]) -> list[tuple[float, str]]:
    """Print the ratios of some bodies of one size, and return them, the highest first."""
    size = mebibytes * MEBIBYTE
    ordinary = {name: make(size) for name, make in ORDINARY.items()}
    results = []
    for name in names:
        body = COSTLY[name](size)
        assert 0.99 * size <= len(body) <= size, (name, len(body))
        # In turns, so that a busy machine slows both sides; medians, so that one hiccup is none.
        times: dict[str, list[float]] = {key: [] for key in (*ordinary, name)}
        for _ in range(TURNS):
            for key, usual in ordinary.items():
                times[key].append(cpu_seconds(usual))
            times[name].append(cpu_seconds(body))
        usual_seconds = min(median(times[key]) for key in ordinary)
        seconds = median(times[name])
        results.append((seconds / usual_seconds, name))
        print(
            f"{mebibytes:3} MiB {seconds / usual_seconds:6.2f} {seconds:8.3f} s  {name} ({outcome(body)})", flush=True
        )
    return sorted(results, reverse=True)


def main(sizes: list[int]) -> int:
    """Measure all bodies of the first size, and the costliest of them in the other sizes; 1 if one costs too much."""
    names: Iterable[str] = COSTLY
    highest = 0.0
    for size in sizes:
        results = measure(size, names)
        highest = max(highest, results[0][0])
        names = [name for _, name in results[:LARGER]]
        print(f"highest of {size} MiB: {results[0][0]:.2f} {results[0][1]}; allowed {HIGHEST_RATIO}")
    return 1 if highest > HIGHEST_RATIO else 0


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]] or [1, 16]))
