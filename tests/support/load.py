"""A load of many clients whose every request can be found again: in its answer, in the log, and in the counts."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

from tests.support import example
from tests.support.http_client import Answer, Client
from tests.support.scraping import REQUESTS, scrape
from tests.support.service import LIMIT_SECONDS, Service, wait_until

CLIENTS = 16
LOST = re.compile(r"worker \d+ exited with (\d+) requests in progress(, and \d+ waiting)?")


class Asker(Client):
    """A client that knows its own address."""

    @property
    def local_port(self) -> int:
        """The port by which the service knows this client."""
        port: int = self._socket.getsockname()[1]
        return port


@dataclass
class Load:
    """Clients that ask without a pause, each on one connection, and connect again when it ends.

    Each request has an id of its own. `answers` has the status of each that was answered, `lost` the port of the
    client's end of the connection for each that was not, `refused` the attempts to connect that failed.
    """

    port: int
    clients: int = CLIENTS
    answers: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    refused: list[OSError] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    _stop: Event = field(default_factory=Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the clients; at the end, wait for the answers to what they have sent."""
        threads = [Thread(target=self._run, args=(number,)) for number in range(self.clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(2 * LIMIT_SECONDS)
        assert [] == self.failures
        assert not any(thread.is_alive() for thread in threads)

    def _run(self, client: int) -> None:
        number = 0
        try:
            while not self._stop.is_set():
                number = self._ask_on_one_connection(client, number)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test is to see it
            self.failures.append(error)

    def _ask_on_one_connection(self, client: int, number: int) -> int:
        try:
            asker = Asker(self.port)
        except OSError as error:
            self.refused.append(error)
            return number
        with asker:
            is_open = True
            while is_open and not self._stop.is_set():
                number += 1
                answer = self._ask(asker, f"{client}-{number}")
                is_open = answer is not None and answer.headers.get("connection") != "close"
        return number

    def _ask(self, asker: Asker, request_id: str) -> Answer | None:
        local_port = asker.local_port
        begun = time.monotonic()
        try:
            answer = asker.ask(example.request(f"X-Request-ID: {request_id}"))
        except ConnectionError:  # And no TimeoutError: a connection without an answer has an end.
            self.lost[request_id] = local_port
            return None
        assert request_id == answer.headers["x-request-id"]
        assert (answer.status, answer.body) == (200, example.ANSWER) or answer.status == 503
        self.answers[request_id] = answer.status
        self.seconds.append(time.monotonic() - begun)
        return answer


def lost_in_progress(service: Service) -> int:
    """Add up the requests that the service itself says it has lost with its workers."""
    events = [line["event"] for line in service.lines() if "requests in progress" in line["event"]]
    return sum(int(LOST.fullmatch(event)[1]) for event in events)  # type: ignore[index] - it must match


def check_agreement(service: Service, load: Load, *, others: int = 0) -> tuple[int, int]:
    """Hold answers, log lines and counts against each other, one by one; return how many lines and counts there are.

    An answered request has exactly one line and is counted: it is logged, then counted, then answered. A worker that is
    killed in between leaves one that is logged and not answered, and perhaps not counted, and the service says so.
    """
    wait_until(lambda: scrape(service).samples["http_requests_in_progress"] == 0, "each answer has its line and count")
    metrics = scrape(service)
    lines = service.requests(method=example.METHOD, route=example.ROUTE)
    by_id = {line["request_id"]: line["status"] for line in lines}
    assert len(lines) == len(by_id), "a request has two lines"
    assert {} == {name: status for name, status in load.answers.items() if by_id.get(name) != status}
    cut_off = by_id.keys() - load.answers.keys()
    assert others == len(cut_off - load.lost.keys())  # No other request has a line.
    logged = Counter(str(status) for status in by_id.values())
    labels = f'method="{example.METHOD}",route="{example.ROUTE}"'
    counted = {status: metrics.samples.get(f'{REQUESTS}{{{labels},status="{status}"}}', 0) for status in logged}
    assert all(counted[status] <= logged[status] for status in logged), (counted, logged)
    assert len(load.answers) <= sum(counted.values())
    assert logged.total() - sum(counted.values()) <= lost_in_progress(service)
    return len(lines), int(sum(counted.values()))
