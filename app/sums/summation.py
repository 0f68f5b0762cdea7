"""Exact sums: bytes of JSON in, plain decimal notation out."""

import re
from collections import Counter
from collections.abc import Callable
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow, localcontext
from operator import mul
from typing import Annotated, Any, NamedTuple

import msgspec

from app.sums import decoding
from app.sums.decoding import NOT_NUMBERS, OUT_OF_RANGE, RefusedElement, refused_element
from app.sums.float_sum import add_as_floats
from app.sums.grouped_sum import may_be_far_apart, sum_by_magnitude

# The range of an element, which the constructor of the number enforces: at most 1,000 significant digits, the highest
# at 10^1000, the lowest at 10^-1000 (the lowest place of a context is Emin - prec + 1). What does not fit raises.
ELEMENT = Context(prec=1000, Emax=1000, Emin=-1, traps=[Inexact, InvalidOperation, Overflow])

# 2,001 places for an element and 19 more for the carries of 10^19 of them: no sum of elements is inexact in it. The
# traps are a second safeguard. The code checks for NaN and infinities after adding.
TOTAL = Context(prec=2020, traps=[Inexact, Overflow])

# Elements that take fewer bytes of JSON than this on average repeat, since few numbers are that short: each different
# one is converted once and multiplied.
SHORT_ELEMENT = 6

# The JSON to process at a time. The numbers of a megabyte of 1e0,1e0 ... would take 16 MB.
PIECE_BYTES = 64 * 1024

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


def add(body: bytes) -> Sum:
    """Add the numbers of the JSON object `{"data": [...]}`, exactly. Raises BodyError."""
    # The lenient mode, in which "1" is an integer, reads 9007199254740993.0 as ...992, because it uses a float. Only a
    # point or an exponent makes it do so, and a backslash can spell either.
    if body.isascii() and not (b"." in body or b"e" in body or b"E" in body or b"\\" in body):
        try:
            integers = _integers.decode(body).data
        except (msgspec.DecodeError, RecursionError):
            pass  # " 1", "007", 10^20 or an error: the general path adds it, or reports what is wrong.
        else:
            return Sum(str(sum(integers)), len(integers))
    data = decoding.find_data(body)
    if proven := add_as_floats(data):
        return Sum(plain(proven[0]), proven[1])
    return _add_as_decimals(data)


def plain(number: Decimal) -> str:
    """Format a number without an exponent, zeros after the last decimal, or a sign before zero."""
    text = format(number or Decimal(), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _add_as_decimals(data: bytes) -> Sum:
    add_all = sum_by_magnitude if may_be_far_apart(data) else sum
    total, numbers = Decimal(), 0
    with localcontext(TOTAL):
        for piece in decoding.pieces(data, PIECE_BYTES):
            try:
                subtotal, added = _add_piece(piece, add_all)
            except RefusedElement as element:
                raise decoding.body_error(element, numbers) from None
            except RecursionError:  # Building nested lists reaches the limit a little sooner than skipping them.
                raise decoding.too_deep() from None
            total += subtotal
            numbers += added
    return Sum(plain(total), numbers)


def _add_piece(piece: bytes, add_all: Callable[[list[Decimal]], Decimal | int]) -> tuple[Decimal, int]:
    items = decoding.decode(piece)
    counts = Counter(items) if len(piece) < SHORT_ELEMENT * len(items) else None
    values = items if counts is None else list(counts)
    if not piece.isascii() or (b"\\" in piece and ESCAPE_BEYOND_ASCII.search(piece)):
        # Decimal would accept the digits of every script.
        for value in values:
            if isinstance(value, str) and not value.isascii():
                raise refused_element(NOT_NUMBERS, items.index(value), piece)
    numbers: list[Decimal] = []
    try:
        try:
            numbers.extend(map(ELEMENT.create_decimal, values))
        except InvalidOperation:
            # The constructor accepts no white space, and stripping every element would cost a tenth of the sum.
            stripped = [str(value).strip(PADDING) for value in values[len(numbers) :]]
            numbers.extend(map(ELEMENT.create_decimal, stripped))
    except (InvalidOperation, Inexact, Overflow) as error:
        outcome = NOT_NUMBERS if isinstance(error, InvalidOperation) else OUT_OF_RANGE
        raise refused_element(outcome, items.index(values[len(numbers)]), piece) from None
    if counts is not None:
        numbers = list(map(mul, numbers, counts.values()))
    subtotal = Decimal(add_all(numbers))
    if not subtotal.is_finite():
        # The constructor accepts "NaN" and "Infinity", and adding them raises no error.
        place = list(map(Decimal.is_finite, numbers)).index(False)
        raise refused_element(NOT_NUMBERS, items.index(values[place]), piece)
    return subtotal, len(items)
