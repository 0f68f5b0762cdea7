"""What ties a request to its caller: the id and the trace."""

import re

import pytest

from tests.support.http_client import get
from tests.support.service import Service, wait_until


@pytest.mark.parametrize("request_id", ["a", "A-b_c.9", "x" * 128])
def test_a_harmless_request_id_is_taken_over(service: Service, request_id: str) -> None:
    """The client's own id comes back, and stands in the log."""
    answer = get(service.port, "/version", f"X-Request-ID: {request_id}")
    assert request_id == answer.headers["x-request-id"]
    wait_until(lambda: service.requests(request_id=request_id), "the request is logged")


@pytest.mark.parametrize("headers", [[], ["x" * 129], [""], ["a b"], ["\xe9"], ['a"'], ["a", "b"], ["a,b"]])
def test_any_other_request_id_is_replaced(service: Service, headers: list[str]) -> None:
    """What could do harm in a log or a header is not taken over."""
    lines = [f"X-Request-ID: {value}" for value in headers]
    answer = get(service.port, "/version", *lines)
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


def test_the_trace_of_the_caller_is_logged(service: Service) -> None:
    """A valid traceparent puts its ids into the line of the request."""
    trace_id, span_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    answer = get(service.port, "/version", f"traceparent: 00-{trace_id}-{span_id}-01")
    request_id = answer.headers["x-request-id"]
    (line,) = wait_until(lambda: service.requests(request_id=request_id), "the request is logged")
    assert (trace_id, span_id) == (line["trace_id"], line["span_id"])
