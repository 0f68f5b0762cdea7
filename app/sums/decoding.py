"""Decoding of a request body: from bytes to the elements of its list `data`, or to an error."""

import codecs
import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

import msgspec

QUOTED_CHARACTERS = 64
WHITE_SPACE = b" \t\n\r"
BYTE_ORDER_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
EXAMPLE = '{"data": ["1", "2"]}'

# Not JSON; JSON, but not an object with a list `data` of numbers; a number with more digits than the service adds.
MALFORMED, NOT_NUMBERS, OUT_OF_RANGE = "malformed", "not_numbers", "out_of_range"


class BodyError(Exception):
    """A body that is not added: its text tells the client what is wrong and where; `reason` is our text for the log."""

    def __init__(self, outcome: str, detail: str, reason: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.reason = reason


class RefusedElement(Exception):
    """An element that is not added: its outcome for the body, its index in its piece, its text or the start of it."""


_body: msgspec.json.Decoder[Any] = msgspec.json.Decoder(msgspec.defstruct("Body", [("data", msgspec.Raw)]))
_json = msgspec.json.Decoder(msgspec.Raw)
# The decoder returns a number with a point or an exponent as its text, so that no binary float ever exists.
_elements = msgspec.json.Decoder(list[Any], float_hook=str)
_raw_elements = msgspec.json.Decoder(list[msgspec.Raw])

_PAIR = re.compile(rb"\\u[Dd][89ABab]..\\u[Dd][C-Fc-f]..", re.DOTALL)
_HALF_PAIR = re.compile(rb"\\u[Dd][89A-Fa-f][0-9A-Fa-f]{2}")
_POSITION = re.compile(r"\(byte (\d+)\)")
_LONG_INTEGER = re.compile(r"at `\$\[(\d+)\](.*)`")


def find_data(body: bytes) -> bytes:
    """Return the text of the list `data` of a JSON object, the last one if there are several.

    Raises BodyError: malformed, or not numbers if there is no such list.
    """
    try:
        if not body.isascii():
            body.decode()  # The decoder does not check the strings that it skips.
        try:
            data = bytes(_body.decode(body).data)
        except msgspec.ValidationError:
            _json.decode(body)  # A wrong type ends the decoding early, and the rest may not be JSON at all.
            data = b""
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed(body, error) from None
    except RecursionError:
        raise too_deep() from None
    if not data.startswith(b"["):
        detail = f'no list "data": the body must be like {EXAMPLE}'
        raise BodyError(NOT_NUMBERS, detail, "the body has no list of numbers")
    return data


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Cut a JSON list at commas into lists of about `size` bytes, with the same elements in the same order.

    A comma can also be inside an element. Then the element is not a number, and the piece is not JSON.
    """
    start, end = 1, len(data) - 1
    while start <= end:
        comma = data.find(b",", start + size, end)
        stop = comma if comma >= 0 else end
        yield b"[%b]" % data[start:stop]
        start = stop + 1


def decode(piece: bytes) -> list[int | str]:
    """Decode a piece: integers as int, strings and other numbers as their text. Raises RefusedElement."""
    try:
        items = _elements.decode(piece)
    except msgspec.DecodeError as error:
        if not _is_list(piece):
            raise _refused_at_the_cut(piece) from None
        # In a list of any types, the decoder refuses only an integer of more digits than Python converts (4,300).
        position, inner = _LONG_INTEGER.findall(str(error))[0]
        raise refused_element(NOT_NUMBERS if inner else OUT_OF_RANGE, int(position), piece) from None
    if not set(map(type, items)) <= {int, str}:
        index = next(index for index, item in enumerate(items) if type(item) not in {int, str})
        raise refused_element(NOT_NUMBERS, index, piece)
    return items


def refused_element(outcome: str, index: int, piece: bytes) -> RefusedElement:
    """Make the error for an element of a piece, with its text as the client wrote it."""
    return RefusedElement(outcome, index, bytes(_raw_elements.decode(piece)[index]).decode())


def body_error(element: RefusedElement, before: int) -> BodyError:
    """Make the error that names an element by its index in the whole list, and quotes its start."""
    outcome, index, text = element.args
    quoted = text if len(text) <= QUOTED_CHARACTERS else text[:QUOTED_CHARACTERS] + "..."
    wrong = "out of range" if outcome == OUT_OF_RANGE else "not a number"
    return BodyError(outcome, f"data[{before + index}]: {wrong}: {quoted}", f"an element is {wrong}")


def too_deep() -> BodyError:
    """Make the error for a body that is nested deeper than Python's recursion limit allows."""
    return BodyError(MALFORMED, "nested too deep", "the body is nested too deep")


def _malformed(body: bytes, error: msgspec.DecodeError | UnicodeDecodeError) -> BodyError:
    if not body.strip(WHITE_SPACE):
        return BodyError(MALFORMED, f"the body is empty: send one like {EXAMPLE}", "the body is empty")
    if body.startswith(BYTE_ORDER_MARKS):
        detail = "not JSON: it begins with a byte order mark: send UTF-8 without one"
        return BodyError(MALFORMED, detail, "the body begins with a byte order mark")
    if isinstance(error, UnicodeDecodeError):
        return BodyError(MALFORMED, f"not UTF-8: byte {error.start}", "the body is not UTF-8")
    message = str(error)
    # The decoder mistakes half of a surrogate pair for the end of the body, or names a byte somewhere after it.
    half = _HALF_PAIR.search(_PAIR.sub(b"_" * 12, body.replace(rb"\\", b"__")))
    position = _POSITION.search(message)
    if half and (half.start() < int(position[1]) if position else body.rstrip(WHITE_SPACE).endswith(b"}")):
        message = f"{half[0].decode()} is half of a surrogate pair, which is no character (byte {half.start()})"
    return BodyError(MALFORMED, f"not JSON: {message}", "the body is not JSON")


def _refused_at_the_cut(piece: bytes) -> RefusedElement:
    # A list cut at a comma between two elements is JSON, and one cut inside an element is not. The refused element
    # begins at the last comma of the first kind.
    commas = [match.start() for match in re.finditer(b",", piece)]
    complete = bisect_left(commas, True, key=lambda comma: not _is_list(piece[:comma] + b"]"))
    start = commas[complete - 1] if complete else 0
    index = len(_raw_elements.decode(piece[:start] + b"]")) if complete else 0
    return RefusedElement(NOT_NUMBERS, index, piece[start + 1 : -1].strip(WHITE_SPACE).decode() + "...")


def _is_list(data: bytes) -> bool:
    try:
        _json.decode(data)
    except msgspec.DecodeError:
        return False
    return True
