"""Whether a way of serving keeps Flask's habits: take the steps of a habit, and compare what comes back."""

import http.client
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

from werkzeug.test import Client

from tests.support.habit_table import Step

PIECE_BYTES = 5000


@dataclass(frozen=True, slots=True)
class Answer:
    """What has come back; a response is cut short where it ends before it is complete."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    is_cut_short: bool = False

    def header(self, name: str) -> str | None:
        """Read a header; one that comes several times has a line for each."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return "\n".join(values) if values else None


def by_test_client(client: Client, step: Step) -> Answer:
    """Take a step by Flask's own client."""
    options: dict[str, Any] = {"data": step.send} if step.send else {}
    headers = dict(step.send_headers)
    if step.is_chunked:
        headers["Transfer-Encoding"] = "chunked"
        options["environ_overrides"] = {"wsgi.input_terminated": True}
    base = {"REMOTE_ADDR": "127.0.0.1"}
    response = client.open(step.target, method=step.method, headers=headers, environ_base=base, **options)
    body, is_cut_short = b"", False
    try:
        for piece in response.iter_encoded():
            body += piece
    except ZeroDivisionError:  # What a server would have to tell by closing the connection.
        is_cut_short = True
    finally:
        response.close()
    return Answer(response.status_code, response.headers.to_wsgi_list(), body, is_cut_short)


class SocketClient:
    """A client of a server on 127.0.0.1, with one connection for each request, that keeps cookies."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cookies: dict[str, str] = {}

    def take(self, step: Step) -> Answer:
        """Take a step."""
        headers = dict(step.send_headers)
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            body = pieces(step.send) if step.is_chunked else step.send or None
            connection.request(step.method, step.target, body, headers, encode_chunked=step.is_chunked)
            response = connection.getresponse()
            try:
                received, is_cut_short = response.read(), False
            except http.client.IncompleteRead as error:
                received, is_cut_short = error.partial, True
        finally:
            connection.close()
        for value in response.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(value).items():
                self._cookies[name] = morsel.value
                if morsel["max-age"] == "0":
                    del self._cookies[name]
        return Answer(response.status, response.getheaders(), received, is_cut_short)


def pieces(body: bytes) -> Iterator[bytes]:
    """Cut a body in pieces, to be sent as chunks."""
    return (body[start : start + PIECE_BYTES] for start in range(0, len(body), PIECE_BYTES))


def check_answer(step: Step, answer: Answer) -> None:
    """Compare an answer with what the step expects."""
    assert (step.status, step.is_cut_short) == (answer.status, answer.is_cut_short), answer
    assert step.body is None or _matches(step.body, answer.body), answer
    for name, value in step.headers.items():
        assert _matches(value, answer.header(name)), name
    if step.problem is not None:
        body = json.loads(answer.body)
        assert "application/problem+json" == answer.header("Content-Type")
        assert (step.problem, answer.header("X-Request-ID")) == (body["detail"], body["request_id"])


def check_lines(step: Step, answer: Answer, lines: list[dict[str, Any]]) -> None:
    """Compare the lines of the request, among those of the whole log, with what the step expects."""
    *others, last = [line for line in lines if line.get("request_id") == answer.header("X-Request-ID")]
    status = 500 if step.is_cut_short else step.status
    assert ("request", status, len(answer.body)) == tuple(map(last.get, ("event", "status", "response_bytes")))
    assert set(step.events) <= {line["event"] for line in others}
    assert (status >= http.client.BAD_REQUEST) == ("reason" in last)
    assert step.reason is None or step.reason == last["reason"]
    assert step.route is None or step.route == last["route"]


def _matches(expected: Any, actual: Any) -> bool:
    if isinstance(expected, re.Pattern):
        return actual is not None and expected.search(actual) is not None
    return bool(expected == actual)
