"""The turns of the application: how long they may be put off."""

import asyncio
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from app.serving.http import application_turns, ready_responses
from app.serving.http.application_turns import ApplicationTurns
from app.serving.http.limits import Limits
from app.serving.http.work_queue import WorkQueue

if TYPE_CHECKING:
    from app.serving.http.connection import Connection


def new_queue() -> WorkQueue:
    """Make an empty queue."""
    return WorkQueue(Limits(100), lambda _: None)


def finish(*_arguments: object) -> None:
    """End no response."""


def new_connection(response: Any = None, *, is_closed: bool = False) -> "Connection":
    """Make a connection, of which the response is in progress."""
    fake: Any = SimpleNamespace(response=response, send=lambda _: None, is_paused=False, is_closed=is_closed)
    fake.cut_reason = ""
    return cast("Connection", fake)


@pytest.mark.parametrize(
    ("seconds", "expected"), [pytest.param(0.02, 5, id="a slow view"), pytest.param(0.006, 0, id="a quick one")]
)
def test_clients_that_never_stop_coming(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch, seconds: float, expected: int
) -> None:
    """After a slow view, connections that are being opened come first, but only for as long as a turn takes."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(application_turns, "time", SimpleNamespace(monotonic=lambda: clock.now))
    queue = new_queue()
    passed: list[int] = []

    def begin(_connection: "Connection") -> None:
        clock.now += seconds
        passed.append(0)
        if len(passed) == 3:
            loop.stop()

    def open_one() -> bool:
        clock.now += 0.00101
        passed[-1] += 1
        return True

    turns = ApplicationTurns(loop, queue, new_queue(), begin, finish, open_one)
    for _ in range(3):
        queue.put(new_connection())
    turns.schedule()
    loop.run_forever()
    assert [expected, expected, 0] == passed


@pytest.mark.parametrize(("seconds", "expected"), [(0.02, "12p3"), (0.006, "123p")])
def test_a_probe_that_has_waited_for_a_long_view(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch, seconds: float, expected: str
) -> None:
    """It comes before the next request; after a quick one, the request comes first as always."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(application_turns, "time", SimpleNamespace(monotonic=lambda: clock.now))
    requests, probes = new_queue(), new_queue()
    names: dict[int, str] = {}
    order: list[str] = []

    def put(queue: WorkQueue, name: str) -> None:
        connection = new_connection()
        names[id(connection)] = name
        queue.put(connection)

    def begin(connection: "Connection") -> None:
        order.append(names[id(connection)])
        if order[-1] == "2":
            loop.call_soon(put, probes, "p")  # It arrives meanwhile, and is read after the turn.
        if order[-1] != "p":
            clock.now += seconds
        if len(order) == 4:
            loop.stop()

    turns = ApplicationTurns(loop, requests, probes, begin, finish, lambda: False)
    for name in "123":
        put(requests, name)
    turns.schedule()
    loop.run_forever()
    assert expected == "".join(order)


def test_slow_probes_starve_no_request(loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    """One probe comes before the next request, however long each of them takes, and however many come."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(application_turns, "time", SimpleNamespace(monotonic=lambda: clock.now))
    requests, probes = new_queue(), new_queue()
    order: list[str] = []

    def begin(connection: "Connection") -> None:
        is_probe = connection is probe
        order.append("p" if is_probe else "r")
        clock.now += 0.006 if is_probe else 0.3
        if is_probe or len(order) == 1:
            loop.call_soon(probes.put, probe)
        if len(order) == 6:
            loop.stop()

    probe = new_connection()
    turns = ApplicationTurns(loop, requests, probes, begin, finish, lambda: False)
    for _ in range(10):
        requests.put(new_connection())
    turns.schedule()
    loop.run_forever()
    assert "rprprp" == "".join(order[:6])


@pytest.mark.parametrize(("seconds", "clients"), [(0.3, 1), (0.3, 4), (0.05, 1), (0.005, 2)])
def test_pieces_get_as_much_time_as_requests(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch, seconds: float, clients: int
) -> None:
    """However long a view takes, and whether or not others wait; and no turn is longer than it and a few pieces."""
    clock = SimpleNamespace(now=0.0)
    for module in (application_turns, ready_responses):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    queue = new_queue()
    spent = {"stream": 0.0, "others": 0.0}
    polls = [0.0]

    def ask(client: "Connection") -> None:
        queue.put(client)
        turns.schedule()

    def read() -> bytes:
        clock.now += 0.0005
        spent["stream"] += 0.0005
        return b"piece"

    def begin(client: "Connection") -> None:
        clock.now += seconds
        spent["others"] += seconds
        loop.call_soon(loop.call_soon, ask, client)  # It has its answer, and asks again.

    def poll() -> None:
        polls.append(clock.now)
        if clock.now < 20.0:
            loop.call_soon(poll)
        else:
            loop.stop()

    turns = ApplicationTurns(loop, queue, new_queue(), begin, finish, lambda: False)
    for _ in range(clients):
        ask(new_connection())
    turns.go_on(new_connection(SimpleNamespace(read=read, is_exhausted=False, is_complete=False)))
    loop.call_soon(poll)
    loop.run_forever()
    assert spent["others"] == pytest.approx(spent["stream"], rel=0.1)
    assert seconds + 0.011 > max(after - before for before, after in pairwise(polls))


def test_a_failure_keeps_nothing_waiting(loop: asyncio.AbstractEventLoop) -> None:
    """What waits behind a connection that fails is served in the next turn."""
    queue = new_queue()
    failing, next_one = (new_connection() for _ in range(2))

    def begin(connection: "Connection") -> None:
        if connection is failing:
            raise LookupError("a bug")
        loop.stop()

    loop.set_exception_handler(lambda *_: None)
    turns = ApplicationTurns(loop, queue, new_queue(), begin, finish, lambda: False)
    queue.put(failing)
    queue.put(next_one)
    turns.schedule()
    loop.run_forever()
    assert 0 == len(queue)


@pytest.mark.parametrize(("seconds", "expected"), [(0.01, 3), (0.15, 2), (1.0, 1)])
def test_ends_after_the_last_turn(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch, seconds: float, expected: int
) -> None:
    """When the server closes, responses are closed for as long as there is time, and each request ends."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(application_turns, "time", SimpleNamespace(monotonic=lambda: clock.now))
    closed: list[object] = []
    ended: list[object] = []

    def new_response() -> SimpleNamespace:
        response = SimpleNamespace(is_exhausted=False)

        def close() -> None:
            clock.now += seconds
            if response not in closed:
                closed.append(response)

        response.close = close
        response.end = lambda _cut_reason: None
        return response

    responses = [new_response() for _ in range(3)]

    def end(connection: "Connection", response: object, _failure: object) -> None:
        connection.response = None
        ended.append(response)

    turns = ApplicationTurns(loop, new_queue(), new_queue(), lambda _: None, end, lambda: False)
    for response in responses:
        connection = new_connection(response, is_closed=True)
        for _ in range(2):  # A connection that is closed while its response waits for its turn.
            turns.go_on(connection)
    turns.close()
    assert (responses[:expected], responses) == (closed, ended)


def test_an_end_that_exits(loop: asyncio.AbstractEventLoop) -> None:
    """A SystemExit at the end of one response, when the server closes, keeps neither it nor the others from theirs."""
    ended: list[object] = []

    def close() -> None:
        raise SystemExit(3)

    turns = ApplicationTurns(loop, new_queue(), new_queue(), lambda _: None, finish, lambda: False)
    for number in range(2):
        response = SimpleNamespace(is_exhausted=False, close=close, end=lambda *_, number=number: ended.append(number))
        turns.go_on(new_connection(response, is_closed=True))
    turns.close()
    assert [0, 1] == ended
