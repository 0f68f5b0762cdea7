"""Problem details: the body of every error."""

import json

import pytest

from app.web.problem_details import CONTENT_TYPE, problem_body


def test_content_type() -> None:
    """The media type is that of RFC 9457."""
    assert "application/problem+json" == CONTENT_TYPE


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (400, "Bad Request"),
        (404, "Not Found"),
        (405, "Method Not Allowed"),
        (408, "Request Timeout"),
        (413, "Content Too Large"),
        (414, "URI Too Long"),
        (415, "Unsupported Media Type"),
        (422, "Unprocessable Content"),
        (431, "Request Header Fields Too Large"),
        (500, "Internal Server Error"),
        (503, "Service Unavailable"),
    ],
)
def test_members(status: int, title: str) -> None:
    """The five members of the contract, in its order."""
    expected = [
        ("type", "about:blank"),
        ("title", title),
        ("status", status),
        ("detail", "what is wrong"),
        ("request_id", "abc"),
    ]
    assert expected == list(json.loads(problem_body(status, "what is wrong", "abc")).items())


def test_one_line() -> None:
    """A body is one line with an end, whatever the detail holds."""
    body = problem_body(422, 'a "quoted"\r\n\ttext \u2028 of 1\u20ac', "abc")
    assert [b"", b""] == [body[-1:].strip(), body[:-1].partition(b"\n")[1]]
    assert 'a "quoted"\r\n\ttext \u2028 of 1\u20ac' == json.loads(body)["detail"]
