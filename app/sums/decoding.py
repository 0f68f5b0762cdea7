"""Decoding of a request body: from bytes to the elements of its list `data`, or to what is wrong with it."""

import codecs
import re
from typing import Any, NoReturn

import msgspec

QUOTED_CHARACTERS = 64

# To keep the text of each element next to its value takes 80 bytes for each: for a megabyte of [1,1,1 ...], 42 MB.
EXACTLY_QUOTED_BYTES = 64 * 1024

WHITE_SPACE = b" \t\n\r"
BYTE_ORDER_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
EXAMPLE = '{"data": ["1", "2"]}'

# No JSON; JSON, but no object with a list `data` of numbers; a number with more digits than are added.
MALFORMED, NOT_NUMBERS, OUT_OF_RANGE = "malformed", "not_numbers", "out_of_range"


class BodyError(Exception):
    """A body that is not added: its text tells the client what is wrong and where, `reason` the log, in our words."""

    def __init__(self, outcome: str, detail: str, reason: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.reason = reason


_body: msgspec.json.Decoder[Any] = msgspec.json.Decoder(msgspec.defstruct("Body", [("data", msgspec.Raw)]))
_json = msgspec.json.Decoder(msgspec.Raw)
# A number with a point or an exponent is handed over as its text, so that no binary float ever exists.
_elements = msgspec.json.Decoder(list[Any], float_hook=str)
_raw_elements = msgspec.json.Decoder(list[msgspec.Raw])

_PAIR = re.compile(rb"\\u[Dd][89ABab]..\\u[Dd][C-Fc-f]..", re.DOTALL)
_HALF_PAIR = re.compile(rb"\\u[Dd][89A-Fa-f][0-9A-Fa-f]{2}")
_POSITION = re.compile(r"\(byte (\d+)\)")
_LONG_INTEGER = re.compile(r"at `\$\[(\d+)\]`")
_DIGITS = re.compile(rb"(?<![0-9.-])-?[0-9]{1000}")


def find_data(body: bytes) -> bytes:
    """Return the text of the list `data` of a JSON object, of the last one if there are several.

    Raises BodyError: malformed, or not numbers where there is none.
    """
    try:
        if not body.isascii():
            body.decode()  # The decoder does not look into the strings that it skips.
        try:
            data = bytes(_body.decode(body).data)
        except msgspec.ValidationError:
            _json.decode(body)  # A wrong type ends the decoding early, and what follows may be no JSON at all.
            data = b""
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed(body, error) from None
    except RecursionError:
        raise BodyError(MALFORMED, "nested too deep", "the body is nested too deep") from None
    if not data.startswith(b"["):
        detail = f'no list "data": the body must be like {EXAMPLE}'
        raise BodyError(NOT_NUMBERS, detail, "the body has no list of numbers")
    return data


def decode(data: bytes) -> list[int | str]:
    """Decode a JSON list: integers as they are, strings and other numbers as their text.

    Raises BodyError: not numbers or, for an integer of thousands of digits, out of range.
    """
    if data.find(b"[", 1) > 0 or b"{" in data:
        _refuse_bracket(data)
    try:
        items = _elements.decode(data)
    except msgspec.ValidationError as error:
        _refuse_long_integer(data, str(error))
    if b"u" in data or b"f" in data:  # Without these letters there is neither true, false nor null.
        _refuse_others(data, items)
    return items


def element_error(outcome: str, data: bytes, index: int, text: str) -> BodyError:
    """Make the error that names an element by its index and quotes the start of it.

    The quotation is as the client has written it, but in a large list, of which `text` is what is known of it.
    """
    if len(data) <= EXACTLY_QUOTED_BYTES:
        text = bytes(_raw_elements.decode(data)[index]).decode()
    quoted = text if len(text) <= QUOTED_CHARACTERS else text[:QUOTED_CHARACTERS] + "..."
    wrong = "out of range" if outcome == OUT_OF_RANGE else "not a number"
    return BodyError(outcome, f"data[{index}]: {wrong}: {quoted}", f"an element is {wrong}")


def _malformed(body: bytes, error: msgspec.DecodeError | UnicodeDecodeError) -> BodyError:
    if not body.strip(WHITE_SPACE):
        return BodyError(MALFORMED, f"the body is empty: send one like {EXAMPLE}", "the body is empty")
    if body.startswith(BYTE_ORDER_MARKS):
        detail = "not JSON: it begins with a byte order mark: send UTF-8 without one"
        return BodyError(MALFORMED, detail, "the body begins with a byte order mark")
    if isinstance(error, UnicodeDecodeError):
        return BodyError(MALFORMED, f"not UTF-8: byte {error.start}", "the body is not UTF-8")
    message = str(error)
    # The decoder takes half of a surrogate pair for the end of the body, or names a byte somewhere behind it.
    half = _HALF_PAIR.search(_PAIR.sub(b"_" * 12, body.replace(rb"\\", b"__")))
    position = _POSITION.search(message)
    if half and (half.start() < int(position[1]) if position else body.rstrip(WHITE_SPACE).endswith(b"}")):
        message = f"{half[0].decode()} is half of a surrogate pair, which is no character (byte {half.start()})"
    return BodyError(MALFORMED, f"not JSON: {message}", "the body is not JSON")


def _refuse_bracket(data: bytes) -> NoReturn:
    # Built before they are refused, the lists in a megabyte of [[],[],[] ...] take 36 MB: nothing is built from the
    # first bracket on. In a string it is as wrong. (Possessive groups would tell strings apart by one expression, but
    # are broken in Python 3.11 before 3.11.5.)
    first = min(position for position in (data.find(b"[", 1), data.find(b"{")) if position > 0)
    quotes = data.replace(rb"\\", b"__").replace(rb"\"", b"__")  # Only those that begin or end a string.
    start = quotes.rfind(b'"', 0, first) if quotes.count(b'"', 0, first) % 2 else first
    index = len(decode(data[:start].rstrip(b"," + WHITE_SPACE) + b"]"))
    string = data[start : quotes.find(b'"', start + 1) + 1] if start < first else b""
    text = string.decode() or ("[...]" if data[start : start + 1] == b"[" else "{...}")
    raise element_error(NOT_NUMBERS, data, index, text)


def _refuse_long_integer(data: bytes, message: str) -> NoReturn:
    # All that is refused inside of a list of anything is an integer of more digits than Python converts (4,300).
    (index,) = _LONG_INTEGER.findall(message)
    raise element_error(OUT_OF_RANGE, data, int(index), next(_DIGITS.finditer(data))[0].decode())


def _refuse_others(data: bytes, items: list[Any]) -> None:
    if others := set(map(type, items)) - {int, str}:
        index = next(index for index, item in enumerate(items) if type(item) in others)
        raise element_error(NOT_NUMBERS, data, index, msgspec.json.encode(items[index]).decode())
