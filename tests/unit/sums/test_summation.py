"""Sums: exact to the last digit or refused, as an oracle of fractions says that shares no code with the application."""

import json
import re
import tracemalloc
from bisect import bisect_left
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import fsum
from typing import Any, NoReturn

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sums import float_sum, summation
from app.sums.decoding import MALFORMED, NOT_NUMBERS, OUT_OF_RANGE, BodyError
from app.sums.float_sum import add_as_floats
from app.sums.summation import Sum, add, plain
from tests.unit.sums.refusals import refused

# ---------------------------------------------------------------------------------------------------------- the oracle

WHITE_SPACE = " \t\n\r"
ELEMENT = re.compile(
    r"[ \t\n\r]*(?P<sign>[+-]?)(?:(?P<whole>[0-9]+)(?:\.(?P<decimals>[0-9]*))?|\.(?P<only>[0-9]+))"
    r"(?:[eE](?P<exponent>[+-]?[0-9]+))?[ \t\n\r]*"
)
WRONG = {"not_numbers": "not a number", "out_of_range": "out of range"}


class Number(str):
    """The text of a JSON number."""

    __slots__ = ()


class Object(list[tuple[str, Any]]):
    """The members of a JSON object, repeated names included."""


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(name)


@cache
def evaluate(text: str) -> Fraction | str:
    """Evaluate a number by the contract: its value, or what is wrong with it."""
    match = ELEMENT.fullmatch(text)
    if match is None:
        return "not_numbers"
    decimals = match["decimals"] or match["only"] or ""
    digits = ((match["whole"] or "") + decimals).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return Fraction(0)
    lowest = int(match["exponent"] or "0") - len(decimals) + len(digits) - len(significant)
    highest = lowest + len(significant) - 1
    if len(significant) > 1000 or highest > 1000 or lowest < -1000:
        return "out_of_range"
    return Fraction(int(match["sign"] + significant)) * Fraction(10) ** lowest


def is_unpaired(value: Any) -> bool:
    """Tell whether half of a surrogate pair stands anywhere in a JSON value."""
    if isinstance(value, str):
        return any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, Object):
        return any(is_unpaired(name) or is_unpaired(member) for name, member in value)
    return isinstance(value, list) and any(map(is_unpaired, value))


def elements_of(body: bytes) -> list[Any] | str:
    """Read the list `data`, or tell what is wrong with the body."""
    try:
        document = json.loads(
            body.decode(),
            parse_float=Number,
            parse_int=Number,
            parse_constant=refuse_constant,
            object_pairs_hook=Object,
        )
    except (ValueError, RecursionError):
        return "malformed"
    if is_unpaired(document):
        return "malformed"
    data = dict(document).get("data") if isinstance(document, Object) else None
    return data if isinstance(data, list) and not isinstance(data, Object) else "not_numbers"


def write(total: Fraction) -> str:
    """Write a sum of elements in plain decimal notation."""
    scaled = total * 10**1000
    assert scaled.denominator == 1
    digits = str(abs(scaled.numerator)).rjust(1001, "0")
    decimals = digits[-1000:].rstrip("0")
    return ("-" if total < 0 else "") + digits[:-1000] + ("." if decimals else "") + decimals


def expected_outcome(body: bytes) -> tuple[str, Any]:
    """Tell what a body comes to: its sum, or the kind of refusal with the elements that deserve it, by kind."""
    elements = elements_of(body)
    if isinstance(elements, str):
        return elements, None
    values = [evaluate(str(element)) if isinstance(element, str) else "not_numbers" for element in elements]
    guilty = {kind: [index for index, value in enumerate(values) if value == kind] for kind in WRONG}
    if any(guilty.values()):
        return "refused", guilty
    return "sum", Sum(write(sum((value * count for value, count in Counter(values).items()), Fraction(0))), len(values))


def check(body: bytes) -> None:
    """Hold the application against the oracle."""
    kind, expected = expected_outcome(body)
    actual_kind, actual = outcome(body)
    if kind == "refused":
        named = re.match(rf"data\[([0-9]+)\]: {WRONG.get(actual_kind)}: ", str(actual))
        assert named, (kind, expected, actual_kind, actual)
        assert int(named[1]) in expected[actual_kind], (expected, actual)
    else:
        assert (kind, expected) == (actual_kind, actual if kind == "sum" else None)


def outcome(body: bytes) -> tuple[str, Any]:
    """Tell what the application makes of a body, in the terms of the oracle."""
    try:
        return "sum", add(body)
    except BodyError as error:
        return error.outcome, str(error)


# ---------------------------------------------------------------------------------------------------------- strategies


def digits(most: int) -> st.SearchStrategy[str]:
    """Digits, with zeros in front and behind as often as not."""
    return st.text("0123456789", min_size=1, max_size=most) | st.text("09", min_size=1, max_size=most)


LONG_DIGITS = st.builds(
    lambda digit, count, rest: digit * count + rest,
    st.sampled_from("0159"),
    st.sampled_from([1, 18, 19, 20, 999, 1000, 1001, 4299, 4300, 4301]),
    st.sampled_from(["", "0", "1", "00"]),
)
EXPONENTS = st.builds(
    lambda mark, sign, number: f"{mark}{sign}{number}",
    st.sampled_from("eE"),
    st.sampled_from(["", "+", "-"]),
    st.integers(0, 30).map(str)
    | st.integers(980, 1020).map(str)
    | st.integers(1990, 2010).map(str)
    | st.sampled_from(
        ["007", "00001000", "4300", "5301", "999999", "1000000", "9" * 18, "9" * 19, "9" * 20, "9" * 400]
    ),
)
WHOLE = (digits(6) | digits(25) | LONG_DIGITS).map(lambda text: text.lstrip("0") or "0")
DECIMALS = digits(6) | digits(25) | LONG_DIGITS
JSON_NUMBERS = st.builds(
    lambda sign, whole, decimals, exponent: sign + whole + decimals + exponent,
    st.sampled_from(["", "-"]),
    WHOLE,
    st.just("") | DECIMALS.map(lambda text: "." + text),
    st.just("") | EXPONENTS,
)
SHORT_INTEGERS = st.integers(-9, 99).map(str)
INTEGERS = st.integers(-(2**63) - 2, 2**63 + 2).map(str) | st.sampled_from(
    [str(edge + step) for edge in (-(2**64), -(2**63), 2**53, 2**63, 2**64) for step in (-1, 0, 1)]
)
# What Python's int(), float() or Decimal() takes, or what looks like a number to a person.
# fmt: off
NEARLY = st.sampled_from([
    "", " ", ".", "-", "+", "e1", "1e", "1e+", "--1", "+-1", "- 1", "1 1", "1,0", "1_000", "0x10", "0b1", "1L", "1j",
    "NaN", "nan", "-NaN", "sNaN", "NaN123", "Infinity", "-inf", "true", "null", "None", "[]", "\xbd", "\xb2",
    "\u2167", "\u0661", "1\u0663", "\uff11", "\u22121", "1\u066b5", "\xa01", "\u30001", "\u20281", "\x0b1", "\x0c1",
    "\x1c1", "\x001", "1\x00", "1.2.3", "1e5e5", "1e5.5", "\U0001d7d9", "\ufeff1", "1\u200b",
])
# fmt: on


def string_numbers() -> st.SearchStrategy[str]:
    """Numbers as only strings can hold them: signs, leading zeros, bare points and white space."""
    bodies = st.one_of(
        digits(30),
        st.builds(lambda whole, decimals: f"{whole}.{decimals}", digits(20), digits(20)),
        digits(10).map(lambda text: text + "."),
        digits(10).map(lambda text: "." + text),
        WHOLE,
    )
    space = st.text(WHITE_SPACE, max_size=3)
    return st.builds(
        lambda before, sign, body, exponent, after: before + sign + body + exponent + after,
        st.just("") | space,
        st.sampled_from(["", "+", "-"]),
        bodies,
        st.just("") | EXPONENTS,
        st.just("") | space,
    )


@st.composite
def json_strings(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """JSON strings of texts, each character as itself or escaped."""
    text = draw(texts)
    if draw(st.booleans()):
        return json.dumps(text, ensure_ascii=draw(st.booleans()))
    escaped = draw(st.sets(st.integers(0, max(len(text) - 1, 0)), max_size=4))
    return '"' + "".join(_escape(c) if i in escaped else json.dumps(c)[1:-1] for i, c in enumerate(text)) + '"'


def _escape(character: str) -> str:
    units = character.encode("utf-16-be").hex()
    return "".join("\\u" + units[start : start + 4] for start in range(0, len(units), 4))


NUMBERS = st.one_of(JSON_NUMBERS, SHORT_INTEGERS, INTEGERS, json_strings(string_numbers()), json_strings(JSON_NUMBERS))
OTHERS = st.one_of(
    st.sampled_from(["true", "false", "null", "[]", "{}", "[1]", '{"data": [1]}', '"\\ud83d"', "[[[]]]"]),
    json_strings(NEARLY),
    json_strings(st.text(max_size=12)),
)
ELEMENTS = NUMBERS | OTHERS
SPACES = st.sampled_from(["", " ", "\n", "\t ", "\r\n"])
MEMBER_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
).map(json.dumps)


def body_of(elements: list[str], space: str = " ") -> bytes:
    """Put elements into a body as they are."""
    return ('{"data": [' + f",{space}".join(elements) + "]}").encode()


# --------------------------------------------------------------------------------------------------------------- tables


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ("", "0"),
        ('"1", "2"', "3"),
        ("1, 2", "3"),
        ("0.1, 0.2", "0.3"),
        ('"9007199254740993.0", 0', "9007199254740993"),
        ("9007199254740993.0", "9007199254740993"),
        ("1, 9007199254740993.0, 1", "9007199254740995"),
        ("1, 2, 0.99999999999999999999999", "3.99999999999999999999999"),
        ("1, 2, 9007199254740993e0", "9007199254740996"),
        ('1, "9007199254740993E0"', "9007199254740994"),
        ('1, "1\\u00653"', "1001"),
        ('1, "1\\u002e5"', "2.5"),
        ('"\\u0039007199254740993.0"', "9007199254740993"),
        ("1e23", "1" + "0" * 23),
        ("1E+2, 1e-2", "100.01"),
        ('"1e1000", 1, "-1e1000"', "1"),
        ("1e1000, 1e-1000", "1" + "0" * 1000 + "." + "0" * 999 + "1"),
        ('" 2.50 "', "2.5"),
        ('"+3"', "3"),
        ('"007"', "7"),
        ('"-007", 1', "-6"),
        ('"1e3"', "1000"),
        ('".5", "5."', "5.5"),
        ('"\\t1\\r\\n "', "1"),
        ("-0", "0"),
        ("-0.0", "0"),
        ('"-0", "-0e5"', "0"),
        ("-1, 1", "0"),
        ("0.5, -0.5", "0"),
        ("-0.5, 0.4", "-0.1"),
        ("100, 200", "300"),
        ("1.50, 1.50", "3"),
        ("1e1, 10", "20"),
        ("0e999999999999999999999999", "0"),
        ("0e-999999999999999999999999", "0"),
        ("0." + "0" * 3000 + "1e3000", "0.1"),
        ("1" + "0" * 3000 + ".0e-3000", "1"),
        (f"{2**63 - 1}, 1", str(2**63)),
        (f"{2**63 - 1}, {2**63 - 1}", str(2**64 - 2)),
        (f"{-(2**63)}, {-(2**63)}", str(-(2**64))),
        (f"{2**64}, -1", str(2**64 - 1)),
        (f'"{2**63}", "{2**64}"', str(2**63 + 2**64)),
        ("9" * 1000 + ", 1", "1" + "0" * 1000),
        ("-" + "9" * 1000 + ", -1", "-1" + "0" * 1000),
    ],
    ids=lambda value: value[:40],
)
def test_sum(elements: str, expected: str) -> None:
    """The sum is exact, in plain decimal notation and canonical form."""
    assert expected == add(body_of([elements])).text


@pytest.mark.parametrize(("body", "expected"), [(b'{"data": []}', 0), (b'{"data": [1, "1", 0.5]}', 3)])
def test_count(body: bytes, expected: int) -> None:
    """The numbers that were added are counted."""
    assert expected == add(body).numbers


@pytest.mark.parametrize(
    "element",
    [
        pytest.param("1e1000", id="highest place"),
        pytest.param("-9e1000", id="highest place, another digit"),
        pytest.param("1" + "0" * 1000, id="highest place, written out"),
        pytest.param('"' + "0" * 5000 + "1" + "0" * 1000 + '"', id="highest place behind zeros"),
        pytest.param("1e-1000", id="lowest place"),
        pytest.param("0." + "0" * 999 + "1", id="lowest place, written out"),
        pytest.param("10000e-1004", id="lowest place with zeros behind"),
        pytest.param("0." + "0" * 999 + "1" + "0" * 5000, id="lowest place, zeros written out"),
        pytest.param("9" * 1000, id="a thousand digits"),
        pytest.param("9" * 1000 + "e1", id="a thousand digits up to the highest place"),
        pytest.param("9" * 1000 + "e-1000", id="a thousand digits down to the lowest place"),
        pytest.param("9" * 1000 + "0", id="a thousand digits and a zero"),
        pytest.param("0." + "9" * 1000, id="a thousand decimals"),
        pytest.param("9" * 500 + "." + "9" * 500, id="a thousand digits around the point"),
    ],
)
def test_in_range(element: str) -> None:
    """Up to a thousand significant digits between 10^-1000 and 10^1000 are added, however they are written."""
    value = evaluate(element.strip('"'))
    assert isinstance(value, Fraction)
    assert write(value) == add(body_of([element])).text
    assert write(value + 1) == add(body_of(["1", element])).text


@pytest.mark.parametrize(
    "element",
    [
        "1e1001",
        "-1e1001",
        "10e1000",
        "1" + "0" * 1001,
        "1e-1001",
        "0.1e-1000",
        "0." + "0" * 1000 + "1",
        "11e-1001",
        "9" * 1001,
        "9" * 999 + ".99",
        "9" * 1000 + "e2",
        "9" * 1000 + "e-1001",
        "1" + "0" * 999 + "1",
        "1e1000000",
        "1e-1000000",
        "1e999999999999999999",
        "1e9999999999999999999",
        "1e-9999999999999999999",
        "1e" + "9" * 400,
        "1" + "0" * 4298 + "1",
        "9" * 4300,
        "9" * 4301,
        "-" + "9" * 4301,
    ],
    ids=lambda value: value[:30],
)
@pytest.mark.parametrize("form", ["{}", '"{}"', '" {}"'])
@pytest.mark.parametrize("others", [0, 3, 3000], ids="{} others".format)
def test_out_of_range(element: str, form: str, others: int) -> None:
    """A digit too many, too high or too low is refused with the name of the element, never rounded."""
    written = form.format(element).replace(" -", "-") if form == "{}" else form.format(element)
    with refused(OUT_OF_RANGE) as caught:
        add(body_of(["1"] * others + [written, "2"]))
    quoted = written if len(written) <= 64 else written[:64] + "..."
    assert f"data[{others}]: out of range: {quoted}" == str(caught.value)


# fmt: off
NO_NUMBERS = [
    "true", "false", "null", "[]", "{}", '""', '" "', '"NaN"', '"-nan"', '"sNaN1"', '"Infinity"', '"-inf"', '"0x10"',
    '"1_000"', '"abc"', '"1 2"', '"\u0661"', '"\\u0661"', '"1\\u0663"', '"\uff11"', '"."', '"+"', '"1e"', '"e1"',
    '"--1"', '"+ 1"', '"1,5"', '"\\u00a01"', '"\u30001"', '"\\u000b1"', '"\\f1"', '"1\\u0000"', '"\\u00001"',
    '"\xbd"', '"\\ud835\\udfd9"', '" NaN"', '"Infinity "',
    '"1\\\\u0661"', '"' + "9" * 5000 + 'x"', '"' + "x" * 5000 + '"',
]
# fmt: on


@pytest.mark.parametrize(
    "element",
    NO_NUMBERS,
    ids=lambda value: ascii(value)[:30],
)
@pytest.mark.parametrize(
    ("others", "count"),
    [("1", 0), ("1", 3), ("1", 3000), ("0.123456789", 3000), ('"1"', 3000), ('" 1"', 3000), ("1e1000", 9)],
)
def test_not_a_number(element: str, others: str, count: int) -> None:
    """What is no number is refused with the name of the element, wherever it stands and whatever the others are."""
    with refused(NOT_NUMBERS) as caught:
        add(body_of([others] * count + [element, others]))
    quoted = element if len(element) <= 64 else element[:64] + "..."
    assert f"data[{count}]: not a number: {quoted}" == str(caught.value)


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"data": [1}', b'{"data": [1, 2.]}', b'{"data": ["\\ud800"]}', b'{"data": ["\xff"]}', b"["]
)
def test_malformed(body: bytes) -> None:
    """What is not JSON is refused as malformed by every way of adding."""
    with refused(MALFORMED):
        add(body)


def test_lists_as_deep_as_they_are_just_followed() -> None:
    """Near the depth at which lists are too deep for Python, a body is refused like any other."""

    def refusal(depth: int) -> str:
        with pytest.raises(BodyError) as caught:
            add(b'{"data": [' + b"[" * depth + b"]" * depth + b"]}")
        return str(caught.value)

    limit = 1 + bisect_left(range(1, 1_000_000), True, key=lambda depth: refusal(depth) == "nested too deep")
    quotation = "data[0]: not a number: " + "[" * 64 + "..."
    assert {quotation, "nested too deep"} == {refusal(depth) for depth in range(limit - 20, limit + 20)}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"[" * 1_000_000, MALFORMED),
        (b'{"data": [1], "other": ' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}", MALFORMED),
        (b'{"data": [1.5], "other": ' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}", MALFORMED),
        (b'{"data": 1}', NOT_NUMBERS),
        (b'{"data": [' + b",".join([b"[]"] * 50_000) + b"]}", NOT_NUMBERS),
    ],
    ids=lambda value: str(value)[:40],
)
def test_refused_structure(body: bytes, kind: str) -> None:
    """Depth and breadth without numbers are refused, not added."""
    with refused(kind):
        add(body)


@pytest.mark.parametrize(
    ("elements", "index"),
    [
        (["1.5", '" 1"', '"x"', '" y"'], 2),
        (['" 1"', "1e1001", '"2 "'], 1),
        (["1.5"] * 50 + ['" NaN "'], 50),
        (["1"] * 500 + ['" 2"'] * 500 + ['" 1e1001"'] + ["3"] * 500, 1000),
        (["1"] * 500 + ['"1"'] * 500 + ['"NaN"'] * 500, 1000),
        (["1.5", '"Infinity"', '"-Infinity"'], 1),
    ],
)
def test_guilty_element(elements: list[str], index: int) -> None:
    """The element that is named is the guilty one, also where the numbers are read a second time or counted first."""
    kind, guilty = expected_outcome(body_of(elements))
    assert ("refused", True) == (kind, index in [*guilty["not_numbers"], *guilty["out_of_range"]])
    with pytest.raises(BodyError, match=r"^data\[(\d+)\]") as caught:
        add(body_of(elements))
    assert int(str(caught.value)[5:].partition("]")[0]) in [*guilty["not_numbers"], *guilty["out_of_range"]]


# ----------------------------------------------------------------------------------------------------- by way of floats


def short_decimals(most: int) -> st.SearchStrategy[str]:
    """Numbers of at most this number of digits before and behind the point together, as JSON has them."""
    whole = st.integers(1, most)
    return whole.flatmap(
        lambda count: st.builds(
            lambda sign, whole, decimals: sign + (whole.lstrip("0") or "0") + decimals,
            st.sampled_from(["", "-"]),
            st.text("0123456789", min_size=1, max_size=count) | st.just("9" * count),
            st.just("")
            | st.text("0123456789", min_size=1, max_size=max(1, most - count)).map(lambda text: "." + text)
            | st.sampled_from(["5", "9", "0", "4"]).map(lambda digit: "." + digit * max(1, most - count)),
        )
    )


def total_of(elements: list[str]) -> Fraction:
    """Add by the oracle, however often an element is there."""
    return sum((Fraction(element.strip('"')) * count for element, count in Counter(elements).items()), Fraction(0))


def check_floats(elements: list[str]) -> bool:
    """Hold the sum by way of floats against the oracle, and tell whether there is one."""
    found = add_as_floats(f"[{', '.join(elements)}]".encode())
    if found:
        assert (total_of(elements), len(elements)) == (Fraction(found[0]), found[1])
    return found is not None


@given(st.integers(1, 13), st.data())
@settings(max_examples=200)
def test_floats_against_the_oracle(places: int, data: st.DataObject) -> None:
    """Numbers of at most thirteen digits before and behind the point are added by way of floats, exactly."""
    whole = 13 - places
    number = st.integers(-(10**13) + 1, 10**13 - 1).map(lambda digits: f"{Decimal(digits).scaleb(-places):f}")
    elements = data.draw(st.lists(number, min_size=1, max_size=250))
    assert check_floats(elements) or whole < places


@given(
    st.lists(short_decimals(15) | short_decimals(6) | short_decimals(6).map('"{}"'.format), min_size=1, max_size=6),
    st.integers(1, 60),
    st.none() | NUMBERS,
)
@settings(max_examples=200)
def test_short_decimals_against_the_oracle(elements: list[str], times: int, stranger: str | None) -> None:
    """Places and signs that differ, zeros and hundreds of elements are exact; so are they next to any other number."""
    repeated = elements * times
    check_floats(repeated)
    check(body_of(repeated if stranger is None else [*repeated, stranger, *elements]))


@pytest.mark.parametrize(
    "element",
    [
        *(f"{'9' * whole}.{'9' * (13 - whole)}" for whole in range(7, 13)),
        *(f"{'1' * whole}.{'1' * (13 - whole)}" for whole in range(7, 13)),
        *(f"{'7' * whole}.{'3' * (13 - whole)}" for whole in range(7, 13)),
        "999999.999999",
        "0.000001",
        "9999999999999",
        "99999999999.01",
        "99999999999.99",
    ],
)
@pytest.mark.parametrize("count", [1, 99, 100, 101, 10_000])
@pytest.mark.parametrize("form", ["{}", "-{}", '"{}"'])
def test_the_longest_by_way_of_floats(element: str, count: int, form: str) -> None:
    """The largest numbers of most digits are exact, however much the errors of their floats add up."""
    assert check_floats([form.format(element)] * count)


@given(st.lists(st.integers(-(10**13) + 1, 10**13 - 1), min_size=1, max_size=100), st.integers(1, 6))
def test_floats_are_as_near_as_the_proof_says(numbers: list[int], places: int) -> None:
    """A decoded float is the one next to its number; what is rounded for a hundred of them is off by less than 0.34."""
    texts = [f"{Decimal(number).scaleb(-places):f}" for number in numbers]
    floats = msgspec.json.decode(f"[{','.join(texts)}]", type=list[float])
    assert [float(Fraction(text)) for text in texts] == floats
    computed = fsum(floats) * float(10**places)
    assert abs(Fraction(computed) - sum(numbers)) < Fraction(34, 100)


@pytest.mark.parametrize(
    "elements",
    [
        "",
        "1",
        "0.0, -0.0",
        '"-0.0", "0"',
        "1.5, 2.25, -3",
        '"1.5", "-2", 3.125',
        ' \t\n1.5\r,"2.5" ',
        "99999999999.99",
        "9999999.999999",
        "0.00",
        "1234567890123",
    ],
)
def test_what_floats_add(elements: str) -> None:
    """JSON numbers without exponents, and strings that hold one, are added by way of floats."""
    assert add_as_floats(f"[{elements}]".encode()) is not None


@pytest.mark.parametrize(
    "elements",
    [
        "1e0",
        "1E0",
        '"1e0"',
        '"1\\u00650"',
        '"\\u0031"',
        "0.12345678901234",
        "99999999999.999",
        "0.1234567",
        "12345678901234",
        "9007199254740993.0",
        "1" * 1000,
        '" 1"',
        '"1 "',
        '"+1"',
        '"007"',
        '".5"',
        '"5."',
        '""',
        '"."',
        '"-"',
        '"1,2"',
        '"1 2"',
        '"1_0"',
        '"0x1"',
        '"abc"',
        '"nan"',
        '"NaN"',
        '"-nan"',
        '"inf"',
        '"-Infinity"',
        '"Infinity", "-Infinity"',
        '"\u0661"',
        "true",
        "null",
        "[]",
        "{}",
        "[1.5]",
    ],
)
@pytest.mark.parametrize("count", [0, 1, 250, 20_000])
def test_what_floats_do_not_add(elements: str, count: int) -> None:
    """Whatever may not be exact, and all that is no number in JSON's own form, is left to the general way."""
    assert add_as_floats(f"[{'1.5,' * count}{elements}]".encode()) is None


@given(st.lists(short_decimals(4) | short_decimals(4).map('"{}"'.format), max_size=50), st.integers(0, 40))
def test_floats_of_pieces_against_the_oracle(elements: list[str], size: int) -> None:
    """Wherever a list is cut into pieces, all of its elements are added."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(float_sum, "PIECE_BYTES", size)
        assert check_floats(elements)


def test_floats_of_a_large_list_take_little_memory() -> None:
    """The floats of a list are not all held at once: they would take seventeen times its memory."""
    array = b"[%b0.5]" % (b"1," * 500_000)
    tracemalloc.start()
    try:
        assert add_as_floats(array) is not None
        assert tracemalloc.get_traced_memory()[1] < 2 * len(array)
    finally:
        tracemalloc.stop()


@given(st.text("0123456789.-+ eE_xnaif,\u0661", max_size=8))
def test_floats_take_no_other_strings(text: str) -> None:
    """A string that is added by way of floats is a number as JSON writes it."""
    if add_as_floats(json.dumps([text], ensure_ascii=False).encode()):
        assert re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", text)


@pytest.mark.parametrize("edge", [2**53, 2**63, 2**64, 10**13])
@pytest.mark.parametrize("other", ["0.5", '"0.5"', "1e0", '" 1"', "9" * 1000, "0." + "9" * 1000])
@pytest.mark.parametrize("count", [1, 150])
def test_edges_of_machine_numbers(edge: int, other: str, count: int) -> None:
    """Integers around 2^53 and 2^63 are exact next to decimals, in any form."""
    numbers = [edge - 1, edge, edge + 1, -edge - 1, -edge, 1 - edge]
    check(body_of([*map(str, numbers), *map('"{}"'.format, numbers), other] * count))


@pytest.mark.parametrize(
    "body",
    [
        b'{"currency": "EUR", "data": [0.1, 0.2], "note": "1e5 \\u0031 [[{"}',
        b'{"data": [true, [[]], "x"], "data": [0.1, 0.2]}',
        b'{"data": 1, "data": ["0.1", "0.2"]}',
        b'{"d\\u0061ta": [0.1, 0.2]}',
        b' { "data" :\n[ 0.1\t, 0.2\r\n] } ',
    ],
)
def test_what_stands_beside_the_list(body: bytes) -> None:
    """Neither other members nor lists that a later one replaces change a sum."""
    assert Sum("0.3", 2) == add(body)
    check(body)


# ----------------------------------------------------------------------------------------------------------- properties


@given(st.lists(NUMBERS, max_size=8), SPACES)
@settings(max_examples=150)
def test_numbers_against_the_oracle(elements: list[str], space: str) -> None:
    """Numbers of every form, in and out of range, come to what fractions say."""
    check(body_of(elements, space))


@given(st.lists(ELEMENTS, max_size=6), SPACES)
@settings(max_examples=120)
def test_elements_against_the_oracle(elements: list[str], space: str) -> None:
    """Elements of every kind come to what fractions say, or to the same refusal."""
    check(body_of(elements, space))


@given(st.lists(ELEMENTS | st.just('"1,2"') | st.just("[1,[2,3]]"), max_size=8), SPACES, st.integers(0, 30))
@settings(max_examples=200)
def test_pieces_against_the_oracle(elements: list[str], space: str, size: int) -> None:
    """Wherever a list is cut, inside of strings and of other lists as well, it comes to the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(summation, "PIECE_BYTES", size)
        patch.setattr(float_sum, "PIECE_BYTES", size)
        check(body_of(elements, space))


@given(st.lists(INTEGERS | INTEGERS.map('"{}"'.format) | SHORT_INTEGERS, max_size=40), st.none() | JSON_NUMBERS)
@settings(max_examples=100)
def test_integers_against_the_oracle(elements: list[str], stranger: str | None) -> None:
    """Integers around every border of a machine word are exact, also with one other number among them."""
    check(body_of(elements if stranger is None else [*elements, stranger, *elements]))


@given(
    st.lists(SHORT_INTEGERS | digits(3).map('"{}"'.format) | NUMBERS, min_size=1, max_size=5),
    st.integers(1, 400),
    st.none() | ELEMENTS,
    st.integers(0, 2000),
)
@settings(max_examples=60)
def test_long_lists_against_the_oracle(elements: list[str], times: int, stranger: str | None, place: int) -> None:
    """Thousands of elements, whichever way adds them, come to what fractions say; one stranger among them is found."""
    repeated = elements * times
    if stranger is not None:
        repeated.insert(min(place, len(repeated)), stranger)
    check(body_of(repeated))


@given(
    st.lists(SHORT_INTEGERS | SHORT_INTEGERS.map('" {}"'.format) | st.just("0.1"), min_size=10, max_size=30),
    st.lists(st.sampled_from(["1e1000", "-1e1000", "1e-1000", "9" * 1000, "0e5", "-0.0"]), max_size=4),
)
@settings(max_examples=25)
def test_many_different_short_elements_against_the_oracle(short: list[str], long: list[str]) -> None:
    """Short elements that are counted, and the extremes of the range beside them, are exact together."""
    check(body_of(long + short * 200))


@given(st.lists(NUMBERS, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_order_does_not_matter(elements: list[str], random: Any) -> None:
    """The sum is the same in any order, as no rounded sum is."""
    shuffled = elements.copy()
    random.shuffle(shuffled)
    if expected_outcome(body_of(elements))[0] == "sum":
        assert add(body_of(elements)) == add(body_of(shuffled))


@given(
    st.lists(NUMBERS, max_size=3),
    st.lists(st.tuples(st.sampled_from(["a", "", "data ", "Data", "é", 'x"y', "\u2028"]), MEMBER_VALUES), max_size=3),
    st.lists(st.tuples(st.sampled_from(["b", "dat", "ᵈata"]), MEMBER_VALUES), max_size=3),
    st.sampled_from(["data", "d\\u0061ta", "\\u0064\\u0061\\u0074\\u0061"]),
)
def test_other_members_against_the_oracle(
    elements: list[str], before: list[tuple[str, str]], after: list[tuple[str, str]], name: str
) -> None:
    """Members beside `data` change nothing, whatever they are."""
    members = [f"{json.dumps(name)}: {value}" for name, value in before]
    members.append(f'"{name}": [{", ".join(elements)}]')
    members += [f"{json.dumps(name, ensure_ascii=False)}: {value}" for name, value in after]
    body = ("{" + ", ".join(members) + "}").encode()
    assert expected_outcome(body_of(elements)) == expected_outcome(body)
    check(body)


@given(
    st.lists(
        st.lists(SHORT_INTEGERS | st.sampled_from(["1.5", "true", '"x"', "1e1001"]), max_size=3).map(
            lambda elements: "[" + ", ".join(elements) + "]"
        )
        | st.sampled_from(["1", "null", "{}"]),
        max_size=3,
    )
)
def test_repeated_data_against_the_oracle(lists: list[str]) -> None:
    """Of several members `data` the last one counts, and only that one."""
    check(("{" + ", ".join(f'"data": {value}' for value in lists) + "}").encode())


SYNTAX = st.sampled_from('[]{},:"\\.eE0- ').map(str.encode)
EDITS = st.tuples(st.integers(0, 200), st.integers(0, 3), st.binary(max_size=2) | SYNTAX)


@given(st.lists(ELEMENTS, max_size=4), st.lists(EDITS, min_size=1, max_size=3))
@settings(max_examples=200)
def test_broken_bodies_against_the_oracle(elements: list[str], edits: list[tuple[int, int, bytes]]) -> None:
    """A body with bytes taken out, put in or changed comes to the same as by the oracle, in the same class."""
    body = body_of(elements)
    for place, removed, inserted in edits:
        start = place % (len(body) + 1)
        body = body[:start] + inserted + body[start + removed :]
    check(body)


@given(
    st.lists(st.tuples(st.integers(-(10**6), 10**6), st.integers(-1000, 990)), min_size=1, max_size=40),
    st.integers(1, 500),
    st.none() | st.sampled_from(['"NaN"', '"sNaN"', '"-Infinity"', "1e1001", '"x"', '"1e5 "', "0e-99999", "0e99999"]),
    st.integers(0, 20000),
)
@settings(max_examples=40)
def test_magnitudes_against_the_oracle(
    parts: list[tuple[int, int]], times: int, stranger: str | None, place: int
) -> None:
    """Thousands of numbers of any magnitude come to what fractions say; the first guilty one among them is named."""
    elements = [f"{digits}e{exponent}" for digits, exponent in parts] * times
    if stranger is not None:
        elements.insert(place, stranger)
    check(body_of(elements))


@given(st.lists(ELEMENTS, max_size=3), st.integers(0, 200))
def test_truncated_bodies_are_malformed(elements: list[str], length: int) -> None:
    """A body that is cut short is malformed, wherever it is cut."""
    body = body_of(elements)
    with refused(MALFORMED):
        add(body[: length % len(body)])


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode) | MEMBER_VALUES.map(str.encode))
def test_any_bytes_against_the_oracle(body: bytes) -> None:
    """Arbitrary bytes are refused in the class that the oracle says, and by nothing but a BodyError."""
    check(body)


@given(st.lists(NUMBERS, min_size=1, max_size=4))
def test_output_is_canonical(elements: list[str]) -> None:
    """A sum has no exponent, no needless zero, no point without decimals and no negative zero, and is JSON."""
    body = body_of(elements)
    if expected_outcome(body)[0] == "sum":
        text = add(body).text
        assert re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?", text)
        assert text != "-0"
        assert text == json.loads(text, parse_int=str, parse_float=str)
        assert evaluate(text) == "out_of_range" or text == add(body_of([f'"{text}"', "0.0"])).text


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("-0.00", "0"),
        ("0E+7", "0"),
        ("1E+3", "1000"),
        ("100", "100"),
        ("1.00", "1"),
        ("-1.50", "-1.5"),
        ("1E-7", "0.0000001"),
        ("1200E-1", "120"),
    ],
)
def test_plain(number: str, expected: str) -> None:
    """Whatever form a number has, it is written in one."""
    assert expected == plain(Decimal(number))


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
def test_plain_changes_no_value(number: Decimal) -> None:
    """The text stands for the same number."""
    assert number == Decimal(plain(number))
