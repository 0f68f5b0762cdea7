"""Correlation: request ids that are taken over or made, and the W3C trace context."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.observability.correlation import Trace, request_id, trace

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"


@pytest.mark.parametrize("header", ["a", "Aa0._-", "x" * 128, "7c0e5a3e-9d4b-4a0a-8f5e-0d6a6a1f7d11"])
def test_harmless_request_id_is_taken_over(header: str) -> None:
    """The client's id comes back as it is."""
    assert header == request_id(header)


@pytest.mark.parametrize(
    "header", [None, "", "x" * 129, "a b", "a\n", "a\nb", "a,b", "ä", "\u0661", "a/b", 'a"', "\u202ea"], ids=ascii
)
def test_other_request_id_is_replaced(header: str | None) -> None:
    """An id that could harm a log, or none, gives way to 32 hexadecimal digits."""
    assert re.fullmatch("[0-9a-f]{32}", request_id(header))


@given(st.text(max_size=140))
def test_request_id_is_always_valid(header: str) -> None:
    """Whatever the client sends, the id matches the pattern of the contract."""
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", request_id(header))


def test_request_ids_differ() -> None:
    """No two new ids are the same."""
    assert 1000 == len({request_id(None) for _ in range(1000)})


@pytest.mark.parametrize(
    "header",
    [
        f"00-{TRACE_ID}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{SPAN_ID}-00",
        f"01-{TRACE_ID}-{SPAN_ID}-01",
        f"cc-{TRACE_ID}-{SPAN_ID}-01-what-the-future-will-be-like",
    ],
)
def test_valid_traceparent(header: str) -> None:
    """A valid traceparent gives the trace and the caller's span, versions to come included."""
    assert Trace(TRACE_ID, SPAN_ID) == trace(header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"ff-{TRACE_ID}-{SPAN_ID}-01",
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID}-{SPAN_ID}-01-more",
        f"00-{TRACE_ID}-{SPAN_ID}-01-",
        f"cc-{TRACE_ID}-{SPAN_ID}-01.more",
        f"00-{TRACE_ID.upper()}-{SPAN_ID}-01",
        f"00-{TRACE_ID[1:]}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{SPAN_ID}0-01",
        f"00-{TRACE_ID}-{SPAN_ID}-1",
        f"00-{TRACE_ID}-{SPAN_ID}-0x",
        f" 00-{TRACE_ID}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{SPAN_ID}-01\n",
        f"00-{TRACE_ID[:-1]}\u0661-{SPAN_ID}-01",
    ],
    ids=ascii,
)
def test_invalid_traceparent(header: str) -> None:
    """What the W3C does not call valid is left aside."""
    assert trace(header) is None
