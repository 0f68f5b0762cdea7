"""Decoding of a request body: from bytes to the elements of its list `data`, or to what is wrong with it."""

import gc
import re
from typing import Any, NoReturn

import msgspec

QUOTED_CHARACTERS = 64

# To keep the text of each element next to its value takes 80 bytes for each: for a megabyte of [1,1,1 ...], 42 MB.
EXACTLY_QUOTED_BYTES = 64 * 1024


class BodyError(Exception):
    """A body that is not added; the text tells the client what is wrong and where."""


class MalformedError(BodyError):
    """The body is not JSON."""


class NotNumbersError(BodyError):
    """The body is JSON, but no object with a list `data` of numbers."""


class OutOfRangeError(BodyError):
    """An element is a number with more digits than are added."""


class _Elements(msgspec.Struct):
    data: list[Any]


class _RawElements(msgspec.Struct):
    data: list[msgspec.Raw]


class _Scalars(msgspec.Struct):
    data: list[int | float | str | bool | None]


# A number with a point or an exponent is handed over as its text, so that no binary float ever exists.
_elements = msgspec.json.Decoder(_Elements, float_hook=str)
_raw_elements = msgspec.json.Decoder(_RawElements)
_scalars = msgspec.json.Decoder(_Scalars)
_syntax = msgspec.json.Decoder(msgspec.Raw)

_CONTAINER = re.compile(r"got `(array|object)` - at `\$\.data\[(\d+)\]`")
_LONG_INTEGER = re.compile(r"out of range - at `\$\.data\[(\d+)\]`")
_DIGITS = re.compile(rb"-?[0-9]{1000}")


def decode(body: bytes) -> list[int | str]:
    """Decode the list `data` of a JSON object: integers as they are, strings and other numbers as their text.

    Raises MalformedError, NotNumbersError or, for an integer of thousands of digits, OutOfRangeError.
    """
    try:
        if not body.isascii():
            body.decode()  # The decoder does not look into the strings that it skips.
        may_hold_containers = _occurs_twice(body, b"[") or _occurs_twice(body, b"{")
        if may_hold_containers:
            _refuse_containers(body)
        items = _decode_elements(body)
    except msgspec.ValidationError as error:
        _refuse_structure(body, error)
    except msgspec.DecodeError as error:
        raise MalformedError(f"not JSON: {error}") from None
    except UnicodeDecodeError as error:
        raise MalformedError(f"not UTF-8: byte {error.start}") from None
    except RecursionError:
        raise MalformedError("nested too deep") from None
    # Without these letters there is neither true, false nor null. A look at the type of each element, which this spares
    # most bodies, takes a tenth of the whole sum.
    if may_hold_containers or b"u" in body or b"f" in body:
        _refuse_others(body, items)
    return items


def element_error(kind: type[BodyError], body: bytes, index: int, text: str) -> BodyError:
    """Make the error that names an element by its index and quotes the start of it.

    The quotation is as the client has written it, but in a large body, of which `text` is what is known of it.
    """
    if len(body) <= EXACTLY_QUOTED_BYTES and body.count(b'"data"') == 1:
        text = bytes(_raw_elements.decode(body).data[index]).decode()
    quoted = text if len(text) <= QUOTED_CHARACTERS else text[:QUOTED_CHARACTERS] + "..."
    return kind(f"data[{index}]: {'out of range' if kind is OutOfRangeError else 'not a number'}: {quoted}")


def _refuse_containers(body: bytes) -> None:
    # Built before they are refused, the lists in a megabyte of [[],[],[] ...] take 36 MB. This stops at the first one.
    try:
        _scalars.decode(body)
    except msgspec.ValidationError as error:
        if container := _CONTAINER.search(str(error)):
            _syntax.decode(body)  # What follows may be no JSON at all.
            text = "[...]" if container[1] == "array" else "{...}"
            raise element_error(NotNumbersError, body, int(container[2]), text) from None


def _occurs_twice(body: bytes, byte: bytes) -> bool:
    # Not count(), which goes on to the end: for a million decimals that is a twentieth of the sum.
    return body.find(byte, body.find(byte) + 1) > 0


def _refuse_others(body: bytes, items: list[Any]) -> None:
    types = list(map(type, items))
    if others := set(types) - {int, str}:
        index = min(map(types.index, others))
        raise element_error(NotNumbersError, body, index, msgspec.json.encode(items[index]).decode())


def _decode_elements(body: bytes) -> list[Any]:
    # Each of many new lists would set off the garbage collector, for six times the cost. They hold no cycles.
    gc.disable()
    try:
        return _elements.decode(body).data
    finally:
        gc.enable()


def _refuse_structure(body: bytes, error: msgspec.ValidationError) -> NoReturn:
    try:
        _syntax.decode(body)  # A wrong type ends the decoding early, and what follows may be no JSON at all.
    except msgspec.DecodeError as syntax_error:
        raise MalformedError(f"not JSON: {syntax_error}") from None
    except RecursionError:
        raise MalformedError("nested too deep") from None
    # All that is refused inside of a list of anything is an integer of more digits than Python converts (4,300).
    digits = _DIGITS.search(body)
    if digits and (index := _LONG_INTEGER.search(str(error))):
        raise element_error(OutOfRangeError, body, int(index[1]), digits[0].decode())
    raise NotNumbersError('no list "data": the body must be like {"data": ["1", "2"]}')
