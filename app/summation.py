"""Exact sums: bytes of JSON in, plain decimal notation out."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow, localcontext
from functools import partial
from itertools import compress, count, filterfalse
from operator import length_hint, mul, not_
from typing import Annotated

import msgspec

from app.decoding import BodyError, NotNumbersError, OutOfRangeError, decode, element_error
from app.magnitude import NUMBERS, sum_by_magnitude

# The range of an element, kept by the constructor of the number itself: at most 1,000 significant digits, the highest
# at 10^1000, the lowest at 10^-1000 (the lowest place of a context is Emin - prec + 1). What does not fit raises.
ELEMENT = Context(prec=1000, Emax=1000, Emin=-1, traps=[Inexact, InvalidOperation, Overflow])

# 2,001 places for an element and 19 more for the carries of 10^19 of them: no sum of elements is inexact in it. The
# trap is the second lock on that door.
TOTAL = Context(prec=2020, traps=[Inexact, InvalidOperation, Overflow])

# Elements that take fewer bytes of JSON than this on average must repeat themselves, there being so few short numbers:
# each different one is converted once and multiplied. Without that, [1e-1000, 1e1000, "1", "1" ...] costs five times
# what ordinary decimals cost, because each "1" is added to 2,001 digits.
SHORT_ELEMENT = 7

WHITE_SPACE = " \t\n\r"


@dataclass(frozen=True, slots=True)
class Sum:
    """An exact sum in plain decimal notation, and how many numbers were added."""

    text: str
    numbers: int


_Adder = Callable[[Iterable[Decimal]], Decimal | int]


class _Integers(msgspec.Struct):
    data: list[Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]]


_integers = msgspec.json.Decoder(_Integers, strict=False)


class _RefusedElement(Exception):
    def __init__(self, index: int, kind: type[BodyError]) -> None:
        self.index = index
        self.kind = kind


def add(body: bytes) -> Sum:
    """Add the numbers of the JSON object `{"data": [...]}`, exactly.

    Raises MalformedError, NotNumbersError or OutOfRangeError.
    """
    if _is_free_of_fractions(body):
        try:
            integers = _integers.decode(body).data
        except (msgspec.DecodeError, RecursionError):
            pass  # " 1", "007", 10^20 or an error: the general way adds it, or tells what is wrong.
        else:
            return Sum(str(sum(integers)), len(integers))
    items = decode(body)
    counts = Counter(items) if len(body) < SHORT_ELEMENT * len(items) else None
    values = items if counts is None else list(counts)
    weights = None if counts is None else counts.values()
    try:
        if b"\\" in body or not body.isascii():
            _refuse_other_scripts(values)
        add_all = sum_by_magnitude if b"e" in body or b"E" in body else sum
        total = _total(values, weights, add_all)
    except _RefusedElement as error:
        value = values[error.index]
        # A decimal is text like a string: what stands in quotes in the body was one.
        quoted = msgspec.json.encode(value)
        text = quoted.decode() if quoted in body or b"\\" in body else str(value)
        raise element_error(error.kind, body, items.index(value), text) from None
    return Sum(plain(total), len(items))


def plain(number: Decimal) -> str:
    """Format a number without an exponent, zeros after the last decimal, or a sign before zero."""
    if not number:
        return "0"
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _is_free_of_fractions(body: bytes) -> bool:
    # The lenient mode in which "1" is an integer takes 9007199254740993.0 for ...992, by way of a float. What leads
    # there is a point or an exponent, and a backslash can spell either.
    return body.isascii() and not (b"." in body or b"e" in body or b"E" in body or b"\\" in body)


def _refuse_other_scripts(values: Sequence[int | str]) -> None:
    # Decimal would read the digits of every script.
    if others := [value for value in values if isinstance(value, str) and not value.isascii()]:
        raise _RefusedElement(values.index(others[0]), NotNumbersError)


def _total(values: Sequence[int | str], weights: Iterable[int] | None, add_all: _Adder) -> Decimal:
    try:
        return _weighted_sum(values, weights, add_all)
    except _RefusedElement as error:
        refused = str(values[error.index])
        if refused == refused.strip(WHITE_SPACE):
            raise
    # The constructor takes no white space, and to strip it from every element would cost a tenth of the sum.
    return _weighted_sum([str(value).strip(WHITE_SPACE) for value in values], weights, add_all)


def _weighted_sum(values: Sequence[int | str], weights: Iterable[int] | None, add_all: _Adder) -> Decimal:
    remaining = iter(values)
    numbers = map(ELEMENT.create_decimal, remaining)
    with localcontext(TOTAL):
        try:
            total = Decimal(add_all(numbers if weights is None else map(mul, numbers, weights)))
        except InvalidOperation:
            # "sNaN" is found when it is added, and others may have been read by then.
            first = max(0, len(values) - length_hint(remaining) - NUMBERS)
        except (Inexact, Overflow):
            raise _RefusedElement(len(values) - length_hint(remaining) - 1, OutOfRangeError) from None
        else:
            if total.is_finite():
                return total
            # "NaN" and "Infinity" are added without a word.
            finite = map(Decimal.is_finite, map(ELEMENT.create_decimal, values))
            raise _RefusedElement(next(compress(count(), map(not_, finite))), NotNumbersError)
    raise _RefusedElement(next(filterfalse(partial(_is_number, values), count(first))), NotNumbersError)


def _is_number(values: Sequence[int | str], index: int) -> bool:
    try:
        return ELEMENT.create_decimal(values[index]).is_finite()
    except InvalidOperation:
        return False
