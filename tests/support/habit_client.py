"""A client that takes the steps of the table of habits over a socket, and remembers cookies."""

import http.client
import re
from contextlib import suppress
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

from tests.support.habit_table import Step
from tests.support.service import Service, wait_until


@dataclass(frozen=True)
class HabitAnswer:
    """A response as it came; `is_whole` is False where the connection ended before it was complete."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    is_whole: bool


class HabitClient:
    """Sends each step on a connection of its own."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._cookies: dict[str, str] = {}

    def take(self, step: Step) -> None:
        """Send the request of a step, and hold its answer and its lines in the log against what the step expects."""
        answer = self._ask(step)
        assert step.status == answer.status
        assert answer.is_whole != step.is_cut_short
        assert step.body is None or _matches(step.body, answer.body), answer.body
        for name, value in step.headers.items():
            assert _matches(value, "\n".join(answer.headers.get_all(name, [])) or None), name
        if step.problem is not None:
            assert "application/problem+json" == answer.headers["Content-Type"]
        self._check_log(step, answer.headers["X-Request-ID"])

    def _ask(self, step: Step) -> HabitAnswer:
        connection = http.client.HTTPConnection("127.0.0.1", self._service.port, timeout=20)
        headers = dict(step.send_headers)
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        body: Any = step.send or None
        if step.is_chunked:
            body = [step.send[start : start + 1000] for start in range(0, len(step.send), 1000)]
            headers["Transfer-Encoding"] = "chunked"
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # A server may answer before it has read all.
                connection.request(step.method, step.target, body, headers, encode_chunked=step.is_chunked)
            response = connection.getresponse()
            for header in response.headers.get_all("Set-Cookie", []):
                self._cookies |= {name: morsel.value for name, morsel in SimpleCookie(header).items()}
            try:
                return HabitAnswer(response.status, response.headers, response.read(), is_whole=True)
            except http.client.IncompleteRead as error:
                return HabitAnswer(response.status, response.headers, error.partial, is_whole=False)
        finally:
            connection.close()

    def _check_log(self, step: Step, request_id: str) -> None:
        (last,) = wait_until(lambda: self._service.requests(request_id=request_id), "the request is logged")
        assert (500 if step.is_cut_short else step.status) == last["status"]
        events = {line["event"] for line in self._service.lines() if line.get("request_id") == request_id}
        assert {*step.events} <= events
        assert (last["status"] >= 400) == ("reason" in last)
        assert step.reason is None or step.reason == last["reason"]
        assert step.route is None or step.route == last["route"]


def _matches(expected: Any, actual: Any) -> bool:
    return expected.search(actual) is not None if isinstance(expected, re.Pattern) else expected == actual
