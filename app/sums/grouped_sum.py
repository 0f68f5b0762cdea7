"""Sums of numbers of very different magnitude: numbers of similar size are added first."""

from collections import deque
from decimal import Decimal

# Numbers whose highest places are less than this apart are added together.
PLACES = 32

# Up to 10^1000, and more for a number that occurs millions of times.
HIGHEST_PLACE = 1024

# Without an exponent, a number needs many digits to be far apart from others.
MANY_DIGITS = b"0" * 100
DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")

# Zero, without any places below those of the numbers added to it.
NOTHING = Decimal("0e1000")


def may_be_far_apart(text: bytes) -> bool:
    """Tell whether a text may contain numbers of very different magnitude."""
    has_exponents = b"e" in text or b"E" in text or b"\\" in text
    return has_exponents or MANY_DIGITS in text.translate(DIGITS_AS_ZEROS)


def sum_by_magnitude(numbers: list[Decimal]) -> Decimal:
    """Add numbers between 10^-1024 and 10^1024, in the current context.

    The sum of 1e-1000 and 1e1000 has 2,001 digits, and every addition to it is slow.
    """
    groups: list[list[Decimal]] = [[] for _ in range(2 * HIGHEST_PLACE // PLACES)]
    # The index in this list is a place. Negative places count from its end.
    group_of_place = [groups[place // PLACES] for place in range(2 * HIGHEST_PLACE)]
    # A loop in Python would cost more than the grouping saves.
    deque(map(list.append, map(group_of_place.__getitem__, map(Decimal.adjusted, numbers)), numbers), maxlen=0)
    return sum((sum(group, NOTHING) for group in groups if group), NOTHING)
