"""Decoding: what a body must be like, and what is said of one that is not."""

import pytest

from app.decoding import MalformedError, NotNumbersError, OutOfRangeError, decode, element_error

HUGE = "9" * 5000  # more digits than Python converts to an integer
NO_LIST = 'no list "data": the body must be like {"data": ["1", "2"]}'
DEEP = 100_000


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
    ],
    ids=lambda value: str(value)[:40],
)
def test_elements(body: bytes, expected: list[int | str]) -> None:
    """Integers come as they are, strings and other numbers as their text, other members not at all."""
    assert expected == decode(body)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "not JSON: Input data was truncated"),
        (b" \n", "not JSON: Input data was truncated"),
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
        (b'{"data": ["\\x31"]}', "not JSON: JSON is malformed: invalid escape character in string (byte 13)"),
        (b"data=1", "not JSON: JSON is malformed: invalid character (byte 0)"),
        (b"{'data': [1]}", "not JSON: JSON is malformed: object keys must be strings (byte 1)"),
        (b'\xef\xbb\xbf{"data": [1]}', "not JSON: JSON is malformed: invalid character (byte 0)"),
        (b'{"data": ["\xff"]}', "not UTF-8: byte 11"),
        (b'{"other": "\xc3(", "data": [1]}', "not UTF-8: byte 11"),
        (b'{"data": ["\xed\xa0\x80"]}', "not UTF-8: byte 11"),
        (b'{"data": ["\xc0\xb1"]}', "not UTF-8: byte 11"),
        ('{"data": [1]}'.encode("utf-16"), "not UTF-8: byte 0"),
        (b'{"data": [true, tru]}', "not JSON: JSON is malformed: invalid character (byte 20)"),
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
    with pytest.raises(MalformedError) as caught:
        decode(body)
    assert detail == str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": ["\\ud800"]}',
        b'{"data": ["\\udc00\\ud800"]}',
        b'{"data": ["1\\ud83dx"]}',
        b'{"data": [1], "other": "\\ud800"}',
        b'{"data": [1], "\\udc00": 1}',
        b'{"data": 1, "other": "\\ud800"}',
    ],
    ids=str,
)
def test_lone_surrogate_is_malformed(body: bytes) -> None:
    """Half of a surrogate pair is no character: RFC 8259 leaves it open, we refuse it wherever it stands."""
    with pytest.raises(MalformedError, match=r"^not JSON: "):
        decode(body)


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
        b'{"data": 2, "data": [1]}',
        b'{"a": {"data": [1]}}',
        b'[{"data": [1]}]',
    ],
    ids=str,
)
def test_no_list(body: bytes) -> None:
    """JSON without a list `data` is answered by an example; each of several members `data` must be a list."""
    with pytest.raises(NotNumbersError) as caught:
        decode(body)
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
        (b'{"data": [true, [1]]}', "data[1]: not a number: [1]"),
        (b'{"data": [[' + HUGE.encode() + b"]]}", "data[0]: not a number: [" + "9" * 63 + "..."),
        (b'{"data": [[1]], "data": [1, [2]]}', "data[0]: not a number: [...]"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_not_numbers(body: bytes, detail: str) -> None:
    """An element that is neither number nor string is named and quoted as it stands in the body."""
    with pytest.raises(NotNumbersError) as caught:
        decode(body)
    assert detail == str(caught.value)


@pytest.mark.parametrize(
    ("elements", "index"),
    [
        pytest.param(HUGE, 0, id="alone"),
        pytest.param(f"1, 2, -{HUGE}, 3", 2, id="among others"),
        pytest.param(f'"x", {HUGE}', 1, id="after a string"),
        pytest.param(f'"{"0" * 6000}1", {HUGE}', 1, id="after a longer string that is a number"),
        pytest.param(f'{HUGE}, "{" " * 6000}1"', 0, id="before a longer string that is a number"),
        pytest.param(f"0.{'0' * 6000}e1, {HUGE}", 1, id="after a longer decimal that is zero"),
    ],
)
def test_integer_of_thousands_of_digits(elements: str, index: int) -> None:
    """An integer beyond what Python converts is out of range, and it is the one that is named."""
    with pytest.raises(OutOfRangeError) as caught:
        decode(f'{{"data": [{elements}]}}'.encode())
    assert str(caught.value).startswith(f"data[{index}]: out of range: ")


def test_integer_of_thousands_of_digits_in_a_list_that_does_not_count() -> None:
    """An element of a list `data` that a later one replaces is refused all the same."""
    with pytest.raises(OutOfRangeError) as caught:
        decode(b'{"data": [2, ' + HUGE.encode() + b'], "data": [1]}')
    assert str(caught.value).startswith("data[1]: out of range: ")


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
@pytest.mark.parametrize(("kind", "wrong"), [(NotNumbersError, "not a number"), (OutOfRangeError, "out of range")])
def test_quoted_element(element: str, quoted: str, kind: type[NotNumbersError | OutOfRangeError], wrong: str) -> None:
    """At most 64 characters of an element are quoted, as they are written in the body."""
    error = element_error(kind, f'{{"data": [1, {element} ]}}'.encode(), 1, "")
    assert (kind, f"data[1]: {wrong}: {quoted}") == (type(error), str(error))
