"""Exact sums: bytes of JSON in, plain decimal notation out."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow, localcontext
from operator import mul
from typing import Annotated, Any, NamedTuple

import msgspec

from app.sums.decoding import NOT_NUMBERS, OUT_OF_RANGE, decode, element_error, find_data
from app.sums.float_sum import add_as_floats
from app.sums.grouped_sum import may_be_far_apart, sum_by_magnitude

# The range of an element, kept by the constructor of the number itself: at most 1,000 significant digits, the highest
# at 10^1000, the lowest at 10^-1000 (the lowest place of a context is Emin - prec + 1). What does not fit raises.
ELEMENT = Context(prec=1000, Emax=1000, Emin=-1, traps=[Inexact, InvalidOperation, Overflow])

# 2,001 places for an element and 19 more for the carries of 10^19 of them: no sum of elements is inexact in it. The
# trap is the second lock on that door. What NaN and infinities come to is looked at afterwards.
TOTAL = Context(prec=2020, traps=[Inexact, Overflow])

# Elements that take fewer bytes of JSON than this on average must repeat themselves, there being so few short numbers:
# each different one is converted once and multiplied.
SHORT_ELEMENT = 7

# The numbers that are held at a time: those of a whole body would take ten times its memory.
NUMBERS = 8192

PADDING = " \t\n\r"

ESCAPE_BEYOND_ASCII = re.compile(rb"\\u(?!00[0-7])")


class Sum(NamedTuple):
    """An exact sum in plain decimal notation, and how many numbers were added."""

    text: str
    numbers: int


_Integers = list[Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]]
_integers: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
    msgspec.defstruct("Body", [("data", _Integers)]), strict=False
)


class _RefusedElement(Exception):
    """An element, as it was decoded, and the outcome that it makes of the body."""


def add(body: bytes) -> Sum:
    """Add the numbers of the JSON object `{"data": [...]}`, exactly. Raises BodyError."""
    # The lenient mode in which "1" is an integer takes 9007199254740993.0 for ...992, by way of a float. What leads
    # there is a point or an exponent, and a backslash can spell either.
    if body.isascii() and not (b"." in body or b"e" in body or b"E" in body or b"\\" in body):
        try:
            integers = _integers.decode(body).data
        except (msgspec.DecodeError, RecursionError):
            pass  # " 1", "007", 10^20 or an error: the general way adds it, or tells what is wrong.
        else:
            return Sum(str(sum(integers)), len(integers))
    data = find_data(body)
    if proven := add_as_floats(data):
        return Sum(plain(proven[0]), proven[1])
    return _add_as_decimals(data)


def plain(number: Decimal) -> str:
    """Format a number without an exponent, zeros after the last decimal, or a sign before zero."""
    if not number:
        return "0"
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _add_as_decimals(data: bytes) -> Sum:
    items = decode(data)
    counts = Counter(items) if len(data) < SHORT_ELEMENT * len(items) else None
    values = items if counts is None else list(counts)
    weights = None if counts is None else list(counts.values())
    try:
        if not data.isascii() or (b"\\" in data and ESCAPE_BEYOND_ASCII.search(data)):
            _refuse_other_scripts(values)
        total = _weighted_sum(values, weights, sum_by_magnitude if may_be_far_apart(data) else sum)
    except _RefusedElement as error:
        value, outcome = error.args
        # A decimal is text like a string: what stands in quotes in the body was one.
        quoted = msgspec.json.encode(value)
        text = quoted.decode() if quoted in data or b"\\" in data else str(value)
        raise element_error(outcome, data, items.index(value), text) from None
    return Sum(plain(total), len(items))


def _refuse_other_scripts(values: Sequence[int | str]) -> None:
    for value in values:
        if isinstance(value, str) and not value.isascii():  # Decimal would read the digits of every script.
            raise _RefusedElement(value, NOT_NUMBERS)


def _weighted_sum(
    values: Sequence[int | str], weights: Sequence[int] | None, add_all: Callable[[list[Decimal]], Decimal | int]
) -> Decimal:
    total = Decimal()
    with localcontext(TOTAL):
        for start in range(0, len(values), NUMBERS):
            some = values[start : start + NUMBERS]
            numbers = _numbers(some)
            if weights:
                numbers = list(map(mul, numbers, weights[start : start + NUMBERS]))
            subtotal = Decimal(add_all(numbers))
            if not subtotal.is_finite():
                # The constructor reads "NaN" and "Infinity", and they are added without a word.
                raise _RefusedElement(some[list(map(Decimal.is_finite, numbers)).index(False)], NOT_NUMBERS)
            total += subtotal
    return total


def _numbers(values: Sequence[int | str]) -> list[Decimal]:
    numbers: list[Decimal] = []
    try:
        try:
            numbers.extend(map(ELEMENT.create_decimal, values))
        except InvalidOperation:
            # It takes no white space, and to strip that from every element would cost a tenth of the sum.
            stripped = [str(value).strip(PADDING) for value in values[len(numbers) :]]
            numbers.extend(map(ELEMENT.create_decimal, stripped))
    except InvalidOperation:
        raise _RefusedElement(values[len(numbers)], NOT_NUMBERS) from None
    except (Inexact, Overflow):
        raise _RefusedElement(values[len(numbers)], OUT_OF_RANGE) from None
    return numbers
