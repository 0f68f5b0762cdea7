"""Bodies that are put together by lot, for the costly ones that have not come to anyone's mind."""

from collections.abc import Sequence
from random import Random

# What may stand at the start of a list, at its end, or again and again: each makes some way of adding harder, or
# defeats it.
NUMBERS = (
    *("1e1000", "1e-1000", '"1e1000"', '" 1"', '"1\\n"', '"\\u0031"', "0.5", "1e400", '"007"', '"+1"', '"5."', "-0"),
    *("9" * 20, "9" * 40, "9" * 1000, "0." + "9" * 1000, "0." + "0" * 999 + "1", "1" + "0" * 1000, "0e999999999"),
)
OTHERS = ('"x"', '"NaN"', '"sNaN"', '"-Infinity"', "true", "null", "[]", "{}", '"[{"', '"\u0661"', "1e1001", "9" * 5000)

# What may stand before the list and behind it.
MEMBERS = ('"\\\\[[":0', '"e.E":"u"', '"\u00e9":1', '"\U0001f600":{}', '"data":[]', '"data":[1.5]', '"a":"\\ud83d"')

# The digits before a point, those behind it, and the exponents of the elements that fill the list.
WHOLE = ((1,), (1,), (2,), (3,), (4,), (1, 2, 3, 4, 5), (7, 8), (13,), (17,), (40,), (300,))
DECIMALS = ((0,), (0,), (0,), (1,), (2,), (0, 1, 2, 3, 4), (6,), (13,), (100,))
EXPONENTS = ((), (), range(10), range(-9, 0), range(-99, 100), range(-900, -99), range(-600, 600), range(600, 700))
FORMS = ("{}", "{}", "-{}", '"{}"', '"{}"', '" {}"', '"{}\\t"', '"\\u0031{}"')

DISTANCES = (50, 1000, 8000)


def invent(seed: int, size: int) -> bytes:
    """Make the body of a number, of a size in bytes."""
    random = Random(seed)  # noqa: S311 - the same body for the same number
    first, again = _some(random, NUMBERS), _some(random, NUMBERS)
    last = _some(random, NUMBERS + OTHERS)
    head = "{" + "".join(f"{member}," for member in _some(random, MEMBERS)) + '"data":['
    tail = "]" + "".join(f",{member}" for member in _some(random, MEMBERS)) + "}"
    kinds = [tuple(map(random.choice, (WHOLE, DECIMALS, EXPONENTS, FORMS))) for _ in range(random.randint(1, 2))]
    distance = random.choice(DISTANCES)
    elements = first
    space = size - len((head + tail + ",".join(first + last)).encode()) - 2
    while space > 0:
        repeats = again and len(elements) % distance == 0
        elements.append(random.choice(again) if repeats else _element(random, *random.choice(kinds)))
        space -= len(elements[-1]) + 1
    return (head + ",".join(elements[:-1] + last) + tail).encode().ljust(size)


def _some(random: Random, choices: Sequence[str]) -> list[str]:
    return random.choices(choices, k=random.choice((0, 0, 1, 1, 2, 3)))


def _element(random: Random, whole: Sequence[int], decimals: Sequence[int], exponents: Sequence[int], form: str) -> str:
    number = _digits(random, random.choice(whole))
    if places := random.choice(decimals):
        number += "." + _digits(random, places)
    return form.format(f"{number}e{random.choice(exponents)}" if exponents else number)


def _digits(random: Random, count: int) -> str:
    return str(random.randrange(10 ** (count - 1), 10**count))
