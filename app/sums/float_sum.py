"""Exact sums by way of binary floats: for numbers that are short enough, in half the time that decimals take."""

from decimal import Decimal
from itertools import islice
from math import fsum

import msgspec

from app.sums.decoding import pieces
from app.sums.grouped_sum import DIGITS_AS_ZEROS

# The most digits before any point and the most behind any point, together.
DIGITS = 13

# The floats that are added at a time: as many as the proof below allows for this number of digits.
TOGETHER = 100

# The JSON that is decoded at a time. The floats of a megabyte of [1,1,1 ...] would take 17 MB, and a quarter more time.
PIECE_BYTES = 16 * 1024

# Exponents and what can spell one, NaN and infinities.
LETTERS = (b"e", b"E", b"n", b"N", b"\\")

_floats = msgspec.json.Decoder(list[float], strict=False)

RUNS = [b"0" * length for length in range(1, DIGITS + 2)]
RUNS_OF_PLACES = [b"." + run for run in RUNS]


def add_as_floats(array: bytes) -> tuple[Decimal, int] | None:
    """Add the elements of an array of JSON exactly; their sum and number, or None where floats can't prove the sum.

    Why the sum is exact: each number is less than 10^w and has at most p places, w + p <= 13. So the sum of a hundred,
    times 10^p, is an integer, and round() finds it, since what it is given is off by less than half: a float is off by
    at most 10^w / 2^53 from its number; the sum of a hundred by at most 100 times that, and by as much again because
    fsum() rounds once, at the end; and its product with 10^p, rounded too, by as much a third time. Together:
    3 x 100 x 10^(w + p) / 2^53 < 0.34. The integers of all hundreds are then added as integers.
    """
    if any(letter in array for letter in LETTERS):
        return None
    shape = array.translate(DIGITS_AS_ZEROS)
    if RUNS[-1] in shape:
        return None
    digits = _longest(RUNS, shape)
    # To count the places for themselves takes a fifth of the whole sum.
    places = digits if 2 * digits <= DIGITS else _longest(RUNS_OF_PLACES, shape)
    if digits + places > DIGITS:
        return None
    del shape
    scale = float(10**places)
    total = numbers = 0
    try:
        for piece in pieces(array, PIECE_BYTES):
            # Lenient: a string that holds a number is that number, if JSON could write it so without quotes.
            floats = _floats.decode(piece)
            numbers += len(floats)
            rest = iter(floats)
            total += sum(round(fsum(islice(rest, TOGETHER)) * scale) for _ in range(0, len(floats), TOGETHER))
    except msgspec.DecodeError:
        return None
    return Decimal(f"{total}e-{places}"), numbers


def _longest(runs: list[bytes], shape: bytes) -> int:
    # Each search goes on where the one for a shorter run has ended, so that together they read the shape once. The last
    # of them finds nothing.
    length = 0
    start = shape.find(runs[0])
    while start >= 0:
        length += 1
        start = shape.find(runs[length], start)
    return length
