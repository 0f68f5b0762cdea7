"""The log line of a request."""

from collections.abc import Callable
from contextvars import copy_context
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from structlog.contextvars import bind_contextvars

from app.observability import request_log
from app.observability.correlation import Trace
from app.observability.request_log import declare_key, write_request
from app.observability.request_record import RequestRecord, set_current_record

if TYPE_CHECKING:
    from tests.support.log_lines import Lines

KEYS = [
    *("timestamp", "level", "event", "request_id", "method", "path", "route", "status", "duration_ms", "queue_ms"),
    *("request_bytes", "response_bytes", "client", "user_agent"),
]

RECORD = RequestRecord(
    request_id="abc",
    method="POST",
    path="/",
    client="203.0.113.9",
    user_agent="curl/8",
    trace=None,
    received=0.0,
    queued=0.0002,
    duration=0.0012345678,
    route="/",
    status=200,
    request_bytes=20,
    response_bytes=2,
)


@pytest.fixture(autouse=True)
def no_declared_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the keys that the packages of the application have declared."""
    monkeypatch.setattr(request_log, "_declared", {})


def test_keys(log_lines: "Lines") -> None:
    """The line has the keys of the contract, in its order; durations are in milliseconds."""
    write_request(RECORD)
    line = log_lines.only
    assert [*KEYS, "pid"] == list(line)
    expected = ["info", "request", "abc", "POST", "/", "/", 200, 1.235, 0.2, 20, 2, "203.0.113.9", "curl/8"]
    assert expected == list(line.values())[1:-1]


def test_optional_keys(log_lines: "Lines") -> None:
    """Trace, error and reason are there where they exist."""
    write_request(replace(RECORD, trace=Trace("1" * 32, "2" * 16), error="ValueError", reason="why"))
    line = log_lines.only
    assert [*KEYS, "trace_id", "span_id", "error", "reason", "pid"] == list(line)
    assert ("1" * 32, "2" * 16, "ValueError", "why") == tuple(
        line[key] for key in ("trace_id", "span_id", "error", "reason")
    )


def test_declared_keys(log_lines: "Lines") -> None:
    """A key that a package declares is on every line, and null where no view has bound it."""
    declare_key("items")
    context = copy_context()
    context.run(set_current_record, RECORD)
    write_request(RECORD)
    context.run(bind_contextvars, items=7, customer="c1", status=999)
    context.run(write_request, RECORD)
    without, bound = log_lines.json
    assert [*KEYS, "items", "pid"] == list(without)
    assert [*KEYS, "items", "pid", "customer"] == list(bound)
    assert (None, 7, 200) == (without["items"], bound["items"], bound["status"])


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
    write_request(replace(RECORD, status=status, method=method, route=route, path=route))
    assert expected == log_lines.only["level"]


def test_probe_by_another_name(log_lines: "Lines") -> None:
    """A path that Flask takes for a probe, as `//healthz`, has its line like all others."""
    write_request(replace(RECORD, method="GET", route="/healthz", path="//healthz"))
    assert "info" == log_lines.only["level"]


def test_probes_are_silent_by_default(configured_logs: Callable[..., "Lines"]) -> None:
    """At the level info, probes leave no line."""
    lines = configured_logs("info")
    write_request(replace(RECORD, method="GET", route="/healthz", path="/healthz"))
    assert [] == lines.raw


def test_longest_line_fits_a_pipe(log_lines: "Lines") -> None:
    """The longest request that the measuring point lets through is not cut: nothing of it is lost."""
    longest = replace(RECORD, request_id="x" * 128, path='"' * 512, user_agent="\\" * 512, error="E" * 60)
    write_request(longest)
    (raw,) = log_lines.raw
    assert len(raw) < 4096
    assert ('"' * 512, "\\" * 512) == (log_lines.only["path"], log_lines.only["user_agent"])
