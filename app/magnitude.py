"""Numbers of very different magnitude: each is added to those of its own size first."""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from itertools import islice

# Numbers whose highest places are less than this apart are added together.
PLACES = 32

# Up to 10^1000, and three places more for a number that is there a thousand times.
HIGHEST_PLACE = 1024

# So many numbers are held at a time: those of a whole body would take ten times its memory.
NUMBERS = 8192

# Zero, without any places below those of the numbers that are added to it.
NOTHING = Decimal("0e1000")


def sum_by_magnitude(numbers: Iterable[Decimal]) -> Decimal:
    """Add numbers between 10^-1024 and 10^1024, in the current context. Raises InvalidOperation where one is no number.

    The sum of 1e-1000 and 1e1000 has 2,001 digits, and whatever is added to it takes its time: for numbers of any place
    all in all half as long again as here.
    """
    groups: list[list[Decimal]] = [[] for _ in range(2 * HIGHEST_PLACE // PLACES)]
    # An index of this list is a place. Negative ones count from its end.
    group_of_place = [groups[place // PLACES] for place in range(2 * HIGHEST_PLACE)]
    totals = [NOTHING] * len(groups)
    remaining = iter(numbers)
    while some := list(islice(remaining, NUMBERS)):
        # A loop in Python would take longer than is saved.
        deque(map(list.append, map(group_of_place.__getitem__, map(Decimal.adjusted, some)), some), maxlen=0)
        totals = list(map(sum, groups, totals))
        for group in groups:
            group.clear()
        if not totals[0].is_finite():  # NaN and Infinity pass for numbers of place 0.
            raise InvalidOperation
    return sum(totals, NOTHING)
