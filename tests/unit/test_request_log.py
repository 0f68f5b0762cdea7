"""The log line of a request."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from app.correlation import Trace
from app.exchange import Exchange
from app.request_log import RequestLog
from tests.support.request_members import REQUEST_MEMBERS

if TYPE_CHECKING:
    from tests.support.log_lines import Lines

EXCHANGE = Exchange(
    request_id="abc",
    method="POST",
    path="/",
    client="203.0.113.9",
    user_agent="curl/8",
    route="/",
    status=200,
    duration=0.0012345678,
    request_bytes=20,
    response_bytes=2,
    numbers=2,
)


def test_members(log_lines: "Lines") -> None:
    """The line has the members of the contract, in its order; the duration is in milliseconds."""
    RequestLog().finished(EXCHANGE)
    line = log_lines.only
    assert list(REQUEST_MEMBERS) == list(line)
    expected = ["info", "request", "abc", "POST", "/", "/", 200, 1.235, 20, 2, "203.0.113.9", "curl/8", 2]
    assert expected == list(line.values())[1:]


def test_optional_members(log_lines: "Lines") -> None:
    """Trace and error are there where they exist."""
    RequestLog().finished(replace(EXCHANGE, trace=Trace("1" * 32, "2" * 16), error="ValueError"))
    line = log_lines.only
    assert [*REQUEST_MEMBERS, "trace_id", "span_id", "error"] == list(line)
    assert ("1" * 32, "2" * 16, "ValueError") == (line["trace_id"], line["span_id"], line["error"])


@pytest.mark.parametrize(
    ("status", "method", "route", "expected"),
    [
        (200, "POST", "/", "info"),
        (200, "GET", "/version", "info"),
        (399, "POST", "/", "info"),
        (400, "POST", "/", "warning"),
        (404, "GET", "unmatched", "warning"),
        (405, "POST", "/healthz", "warning"),
        (499, "POST", "/", "warning"),
        (500, "POST", "/", "error"),
        (503, "POST", "/", "error"),
        (200, "GET", "/healthz", "debug"),
        (200, "HEAD", "/readyz", "debug"),
        (503, "GET", "/readyz", "debug"),
    ],
)
def test_level(log_lines: "Lines", status: int, method: str, route: str, expected: str) -> None:
    """4xx is a warning, 5xx an error; probes are for those who look for them."""
    RequestLog().finished(replace(EXCHANGE, status=status, method=method, route=route))
    assert expected == log_lines.only["level"]


def test_probes_are_silent_by_default(configured_logs: Callable[..., "Lines"]) -> None:
    """At the level info, probes leave no line."""
    lines = configured_logs("info")
    RequestLog().finished(replace(EXCHANGE, method="GET", route="/healthz"))
    assert [] == lines.raw


def test_rejected(log_lines: "Lines") -> None:
    """What the server has refused has no route, and a line all the same."""
    RequestLog().rejected(replace(EXCHANGE, status=431, route="unmatched", numbers=None))
    line = log_lines.only
    assert ("warning", 431, None, None) == (line["level"], line["status"], line["route"], line["numbers"])


def test_started(log_lines: "Lines") -> None:
    """A request that has only begun leaves no line."""
    RequestLog().started()
    assert [] == log_lines.raw


def test_longest_line_fits_a_pipe(log_lines: "Lines") -> None:
    """The longest request that the measuring point lets through is not cut: nothing of it is lost."""
    longest = replace(EXCHANGE, request_id="x" * 128, path='"' * 512, user_agent="\\" * 512, error="E" * 60)
    RequestLog().finished(longest)
    (raw,) = log_lines.raw
    assert len(raw) < 4096
    assert ('"' * 512, "\\" * 512) == (log_lines.only["path"], log_lines.only["user_agent"])
