"""Decoding: what a body must be like, and what is said of one that is not."""

import json

import pytest

from app.sums.decoding import (
    MALFORMED,
    NOT_NUMBERS,
    OUT_OF_RANGE,
    BodyError,
    RefusedElement,
    body_error,
    decode,
    find_data,
    pieces,
    refused_element,
)
from tests.unit.sums.refusals import refused

HUGE = "9" * 5000  # more digits than Python converts to an integer
NO_LIST = 'no list "data": the body must be like {"data": ["1", "2"]}'
# Python 3.11 follows 1,000 levels, 3.13 10,000, and 3.14 as many as its stack holds: 261,000 in 8 MB.
DEEP = 1_000_000
EMPTY = 'the body is empty: send one like {"data": ["1", "2"]}'
MARKED = "not JSON: it begins with a byte order mark: send UTF-8 without one"


def decoded(data: bytes, size: int = 1024 * 1024) -> list[int | str]:
    """Decode a list to its elements by pieces of a size."""
    items: list[int | str] = []
    for piece in pieces(data, size):
        try:
            items += decode(piece)
        except RefusedElement as element:
            raise body_error(element, len(items)) from None
    return items


def elements(body: bytes) -> list[int | str]:
    """Decode a body to its elements."""
    return decoded(find_data(body))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"data": []}', []),
        (b'{"data": [1, -2, 0]}', [1, -2, 0]),
        (b'{"data": [18446744073709551616]}', [2**64]),
        (b'{"data": ["1", " 2 ", "x"]}', ["1", " 2 ", "x"]),
        (b'{"data": [9007199254740993.0, 1e23, 1E-5]}', ["9007199254740993.0", "1e23", "1E-5"]),
        (b'{"data": [1e999999999]}', ["1e999999999"]),
        (b'{"data": ["\\u0031\\ud83d\\ude00"]}', ["1\U0001f600"]),
        (b'\t\r\n {"data"\n:\t[ 1 ,2 ]\r} \n', [1, 2]),
        (b'{"d\\u0061ta": [1]}', [1]),
        (b'{"a": null, "data": [1], "b": {"data": ["x"]}, "c": [[], [{}]]}', [1]),
        (b'{"": 1, "data ": 2, "DATA": 3, "data": [4]}', [4]),
        ('{"é": "\u202e", "data": [1]}'.encode(), [1]),
        (b'{"a": ' + HUGE.encode() + b', "b": 1e999999, "data": [1]}', [1]),
        (b'{"data": [1, true], "data": ["x"], "data": [2]}', [2]),
        (b'{"data": 1, "data": [[]], "data": [2]}', [2]),
        (b'{"data": [2, ' + HUGE.encode() + b'], "data": [1]}', [1]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_elements(body: bytes, expected: list[int | str]) -> None:
    """Integers come as they are, strings and other numbers as their text, other members not at all."""
    assert expected == elements(body)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", EMPTY),
        (b" \n", EMPTY),
        (b'{"data": [1', "not JSON: Input data was truncated"),
        (b'{"data": [1]', "not JSON: Input data was truncated"),
        (b'{"data": ["1]}', "not JSON: Input data was truncated"),
        (b'{"data": [1]}x', "not JSON: JSON is malformed: trailing characters (byte 14)"),
        (b'{"data": [1]}{}', "not JSON: JSON is malformed: trailing characters (byte 14)"),
        (b'{"data": [1,]}', "not JSON: JSON is malformed: trailing comma in array (byte 12)"),
        (b'{"data": [01]}', "not JSON: JSON is malformed: invalid number (byte 11)"),
        (b'{"data": [1.]}', "not JSON: JSON is malformed: invalid number (byte 12)"),
        (b'{"data": [.5]}', "not JSON: JSON is malformed: invalid character (byte 10)"),
        (b'{"data": [+1]}', "not JSON: JSON is malformed: invalid character (byte 10)"),
        (b'{"data": [NaN]}', "not JSON: JSON is malformed: invalid character (byte 10)"),
        (b'{"data": [Infinity]}', "not JSON: JSON is malformed: invalid character (byte 10)"),
        (b'{"data": ["\n"]}', "not JSON: JSON is malformed: invalid character (byte 11)"),
        (b'{"data": ["\\x31"]}', "not JSON: JSON is malformed: invalid escaped character (byte 12)"),
        (b"data=1", "not JSON: JSON is malformed: invalid character (byte 0)"),
        (b"{'data': [1]}", "not JSON: JSON is malformed: object keys must be strings (byte 1)"),
        (b'\xef\xbb\xbf{"data": [1]}', MARKED),
        (b"\xef\xbb\xbf", MARKED),
        (b'\xef\xbb\xbf{"data": ["\xff"]}', MARKED),
        (b'{"data": ["\xff"]}', "not UTF-8: byte 11"),
        (b'{"other": "\xc3(", "data": [1]}', "not UTF-8: byte 11"),
        (b'{"data": ["\xed\xa0\x80"]}', "not UTF-8: byte 11"),
        (b'{"data": ["\xc0\xb1"]}', "not UTF-8: byte 11"),
        ('{"data": [1]}'.encode("utf-16"), MARKED),
        (b"\xfe\xff" + '{"data": [1]}'.encode("utf-16-be"), MARKED),
        (b'{"data": [true, tru]}', "not JSON: JSON is malformed: invalid character (byte 17)"),
        (b'{"data": 1, "other": [tru]}', "not JSON: JSON is malformed: invalid character (byte 23)"),
        (b'{"data": [[1], tru]}', "not JSON: JSON is malformed: invalid character (byte 16)"),
        (b'{"data": [' + HUGE.encode() + b", tru]}", "not JSON: JSON is malformed: invalid character (byte 5013)"),
        (b"[" * DEEP, "nested too deep"),
        (b'{"a":' * DEEP, "nested too deep"),
        (b'{"data": ' + b"[" * DEEP + b"]" * DEEP + b"}", "nested too deep"),
        (b'{"data": [1], "other": ' + b"[" * DEEP + b"]" * DEEP + b"}", "nested too deep"),
        (b'{"data": 1, "other": ' + b"[" * DEEP + b"]" * DEEP + b"}", "nested too deep"),
        (b'{"data": 1, "other": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}", "nested too deep"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_malformed(body: bytes, detail: str) -> None:
    """What is not JSON is malformed, and the detail says where."""
    with refused(MALFORMED) as caught:
        elements(body)
    assert detail == str(caught.value)


@pytest.mark.parametrize(
    ("body", "half", "byte"),
    [
        (b'{"data": ["\\ud800"]}', "\\ud800", 11),
        (b'{"data": ["\\udc00\\ud800"]}', "\\udc00", 11),
        (b'{"data": ["1\\uD83Dx"], "other": "long enough"}', "\\uD83D", 12),
        (b'{"data": ["\\ud83d\\n"]}', "\\ud83d", 11),
        (b'{"data": ["\\ud83d\\u0041"]}', "\\ud83d", 11),
        (b'{"data": [1], "note": "\\ud83d"}', "\\ud83d", 23),
        (b'{"data": [1], "note": "\\\\\\ud83d\\ude00\\n\\ud83d"}\n', "\\ud83d", 39),
        (b'{"data": [1], "\\udc00": 1}', "\\udc00", 15),
        (b'{"data": 1, "other": "\\ud800"}', "\\ud800", 22),
    ],
    ids=str,
)
def test_lone_surrogate_is_malformed(body: bytes, half: str, byte: int) -> None:
    """Half of a surrogate pair is no character and has no UTF-8: it is refused wherever it stands, and told as such."""
    with refused(MALFORMED) as caught:
        elements(body)
    assert f"not JSON: {half} is half of a surrogate pair, which is no character (byte {byte})" == str(caught.value)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"data": ["\\ud83d', "not JSON: Input data was truncated"),
        (b'{"data": ["\\ud83d\\ud', "not JSON: Input data was truncated"),
        (b'{"data": ["\\ud8zz"]}', "not JSON: JSON is malformed: invalid character in unicode escape (byte 16)"),
        (b'{"data": ["\\ud83d\\udczz"]}', "not JSON: JSON is malformed: invalid character in unicode escape (byte 22)"),
        (b'{"data": [1,], "note": "\\ud83d"}', "not JSON: JSON is malformed: trailing comma in array (byte 12)"),
    ],
    ids=str,
)
def test_another_fault_before_a_lone_surrogate(body: bytes, detail: str) -> None:
    """What is wrong first is told: a body that ends within a pair is cut short."""
    with refused(MALFORMED) as caught:
        elements(body)
    assert detail == str(caught.value)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is empty"),
        (b"\xef\xbb\xbf{}", "the body begins with a byte order mark"),
        (b'{"data": ["\xff"]}', "the body is not UTF-8"),
        (b'{"data": [secret]}', "the body is not JSON"),
        (b"[" * DEEP, "the body is nested too deep"),
        (b'{"secret": [1]}', "the body has no list of numbers"),
        (b'{"data": [{"secret": 1}]}', "an element is not a number"),
        (b'{"data": [null]}', "an element is not a number"),
        (b'{"data": [' + HUGE.encode() + b"]}", "an element is out of range"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_reason(body: bytes, reason: str) -> None:
    """The reason for the log is in our words and holds nothing of the body."""
    with pytest.raises(BodyError) as caught:
        elements(body)
    assert reason == caught.value.reason


@pytest.mark.parametrize("number", [300, 999])
def test_long_integer_among_long_numbers(number: int) -> None:
    """Of a large list, the integer that Python does not convert is quoted, and no other number of many digits."""
    others = [f'"0.{"1" * 1200}"', "7" * number] * 100
    with refused(OUT_OF_RANGE) as caught:
        decoded(f"[{','.join(others)},{HUGE}]".encode())
    assert f"data[200]: out of range: {HUGE[:64]}..." == str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"1",
        b"null",
        b'"data"',
        b"[1, 2]",
        b"{}",
        b'{"Data": [1]}',
        b'{"data": null}',
        b'{"data": 1}',
        b'{"data": "1"}',
        b'{"data": {"0": 1}}',
        b'{"data": [1], "data": 2}',
        b'{"a": {"data": [1]}}',
        b'[{"data": [1]}]',
    ],
    ids=str,
)
def test_no_list(body: bytes) -> None:
    """JSON whose last member `data` is no list is answered by an example."""
    with refused(NOT_NUMBERS) as caught:
        elements(body)
    assert NO_LIST == str(caught.value)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"data": [true]}', "data[0]: not a number: true"),
        (b'{"data": [1, 2, null]}', "data[2]: not a number: null"),
        (b'{"data": ["1", false, null]}', "data[1]: not a number: false"),
        (b'{"data": [[]]}', "data[0]: not a number: []"),
        (b'{"data": [1, {}]}', "data[1]: not a number: {}"),
        (b'{"data": [ 1 , { "a" : [ 1 ] } , [] ]}', 'data[1]: not a number: { "a" : [ 1 ] }'),
        (b'{"data": [[[[1]]]]}', "data[0]: not a number: [[[1]]]"),
        (b'{"data": [true, [1]]}', "data[0]: not a number: true"),
        (b'{"data": [[' + HUGE.encode() + b"]]}", "data[0]: not a number: [" + "9" * 63 + "..."),
        (b'{"data": [[1]], "data": [1, [2]]}', "data[1]: not a number: [2]"),
        (b'{"data": ["[x", true]}', "data[1]: not a number: true"),
        (b'{"data": [1e400, "a\\"b,{", []]}', "data[2]: not a number: []"),
        (b'{"data": [1.5, "\\\\", {"a": "]"}]}', 'data[2]: not a number: {"a": "]"}'),
    ],
    ids=lambda value: str(value)[:40],
)
def test_not_numbers(body: bytes, detail: str) -> None:
    """An element that is neither number nor string is named and quoted as it stands in the body."""
    with refused(NOT_NUMBERS) as caught:
        elements(body)
    assert detail == str(caught.value)


@pytest.mark.parametrize(
    ("written", "index"),
    [
        pytest.param(HUGE, 0, id="alone"),
        pytest.param(f"1, 2, -{HUGE}, 3", 2, id="among others"),
        pytest.param(f'"x", {HUGE}', 1, id="after a string"),
        pytest.param(f'"{"0" * 6000}1", {HUGE}', 1, id="after a longer string that is a number"),
        pytest.param(f'{HUGE}, "{" " * 6000}1"', 0, id="before a longer string that is a number"),
        pytest.param(f"0.{'0' * 6000}e1, {HUGE}", 1, id="after a longer decimal that is zero"),
    ],
)
def test_integer_of_thousands_of_digits(written: str, index: int) -> None:
    """An integer beyond what Python converts is out of range, and it is the one that is named."""
    with refused(OUT_OF_RANGE) as caught:
        decoded(f"[{written}]".encode())
    assert str(caught.value).startswith(f"data[{index}]: out of range: ")


@pytest.mark.parametrize(
    ("element", "quoted"),
    [
        pytest.param('"' + "a" * 62 + '"', '"' + "a" * 62 + '"', id="64 characters"),
        pytest.param('"' + "a" * 63 + '"', '"' + "a" * 63 + "...", id="65 characters"),
        pytest.param('"' + "é" * 100 + '"', '"' + "é" * 63 + "...", id="characters, not bytes"),
        pytest.param('"' + "\U0001f600" * 63 + '"', '"' + "\U0001f600" * 63 + "...", id="characters, not code units"),
        pytest.param('"\\u0000\\n"', '"\\u0000\\n"', id="as it is written"),
    ],
)
@pytest.mark.parametrize(("kind", "wrong"), [(NOT_NUMBERS, "not a number"), (OUT_OF_RANGE, "out of range")])
def test_quoted_element(element: str, quoted: str, kind: str, wrong: str) -> None:
    """At most 64 characters of an element are quoted, as they are written in the body."""
    error = body_error(refused_element(kind, 1, f"[1, {element} ]".encode()), 10)
    assert (kind, f"data[11]: {wrong}: {quoted}") == (error.outcome, str(error))


@pytest.mark.parametrize("size", [0, 1, 2, 5, 100])
@pytest.mark.parametrize(
    "data",
    [b"[]", b"[ ]", b"[1]", b"[1,2 , 3,4.5]", b'["1","2" ,"3"]', '["\u00e9","a\\"b",1]'.encode(), b"[true,[],{}]"],
    ids=bytes.decode,
)
def test_pieces(data: bytes, size: int) -> None:
    """Wherever a list is cut, the pieces are lists of its elements."""
    cut = [json.loads(piece) for piece in pieces(data, size)]
    assert json.loads(data) == [element for piece in cut for element in piece]


@pytest.mark.parametrize(
    ("data", "size", "detail"),
    [
        (b'[1,2,"3,[",4]', 0, 'data[2]: not a number: "3...'),
        (b'[1,2,"3,[",4]', 4, 'data[2]: not a number: "3...'),
        (b'["a\\",b",1]', 0, 'data[0]: not a number: "a\\"...'),
        (b"[1,2,[3,4],5]", 0, "data[2]: not a number: [3..."),
        (b"[1,2, [3,4,5,6],7]", 9, "data[2]: not a number: [3,4..."),
        (b"[1,2,[3,4],5]", 100, "data[2]: not a number: [3,4]"),
        (b"[[1,2],[3,4]]", 8, "data[1]: not a number: [3..."),
        (b'[1,2,{"a":1,"b":2},5]', 0, 'data[2]: not a number: {"a":1...'),
        (b'[1,2,{"a":1,"b":2},5]', 100, 'data[2]: not a number: {"a":1,"b":2}'),
        (b"[1,2,true,5]", 0, "data[2]: not a number: true"),
        (b"[1,2,true,5]", 100, "data[2]: not a number: true"),
        (b"[" + HUGE.encode() + b',"a,b"]', len(HUGE) + 1, 'data[1]: not a number: "a...'),
        (b"[1,[" + b"2," * 50 + b"3]]", 90, "data[1]: not a number: [" + "2," * 31 + "2..."),
        (b"[1,[" + b"2," * 50 + b"3]]", 200, "data[1]: not a number: [" + "2," * 31 + "2..."),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_refused_element_of_a_piece(data: bytes, size: int, detail: str) -> None:
    """The element that is refused has its index in the whole list; if it is cut, its start is quoted."""
    with pytest.raises(BodyError) as caught:
        decoded(data, size)
    assert detail == str(caught.value)
