"""Clients that ask without a pause, and repeat nothing."""

import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from threading import Event, Thread
from typing import Self

from tests.support import example

# Of these, one half keeps its connections, the other one makes a new one for each request.
CLIENTS = 6
LIMIT_SECONDS = 10


class Half:
    """A request of which one half has been sent."""

    def __init__(self, address: str) -> None:
        self._connection = HTTPConnection(address, 5000, timeout=LIMIT_SECONDS)

    def __enter__(self) -> Self:
        """Send the head, and half of the body."""
        self._connection.putrequest(example.METHOD, example.ROUTE)
        self._connection.putheader("Content-Length", str(len(example.BODY)))
        self._connection.endheaders(example.BODY[:8])
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._connection.close()

    def complete(self) -> tuple[int, bytes]:
        """Send the rest, and return status and body of the answer."""
        self._connection.send(example.BODY[8:])
        response = self._connection.getresponse()
        return response.status, response.read()


class Load:
    """Clients of the service at an address, from `with` until its end."""

    def __init__(self, address: str) -> None:
        self.errors: list[str] = []
        self.slowest = 0.0
        self._address = address
        self._answers: Counter[int] = Counter()
        self._end = Event()
        self._threads = [Thread(target=self._ask, args=(number,)) for number in range(CLIENTS)]

    @property
    def answers(self) -> int:
        """Count the right answers that came back."""
        return self._answers.total()

    def __enter__(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, and wait for the last answers."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        connection = HTTPConnection(self._address, 5000, timeout=LIMIT_SECONDS)
        while not self._end.is_set():
            # Another id each time: an answer that belongs to another client is wrong.
            request_id = f"{number}-{self._answers[number]}"
            began = time.monotonic()
            try:
                connection.request(example.METHOD, example.ROUTE, example.BODY, {"X-Request-ID": request_id})
                response = connection.getresponse()
                answer = response.status, response.headers["X-Request-ID"], response.read()
            except (OSError, HTTPException) as error:
                answer = 0, request_id, repr(error).encode()
                connection.close()
            seconds = time.monotonic() - began
            self.slowest = max(self.slowest, seconds)
            if answer == (200, request_id, example.ANSWER):
                self._answers[number] += 1
            else:
                self.errors.append(f"{time.strftime('%T')} client {number}, after {seconds:.3f} s: {answer}")
            if number % 2:
                connection.close()
        connection.close()
