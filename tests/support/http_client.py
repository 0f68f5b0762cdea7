"""A client that knows HTTP only as bytes, so that it can send what no library would."""

import argparse
import json
import select
import shlex
import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

# A response that does not come in this time never will.
LIMIT_SECONDS = 20.0


@dataclass(frozen=True)
class Answer:
    """A response; the names of the headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Decode the body."""
        return json.loads(self.body)


class Client:
    """A connection to the service."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._socket = socket.create_connection((host, port), LIMIT_SECONDS)
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._socket.sendall(data)

    def end(self) -> None:
        """Tell the service that no more bytes will come."""
        self._socket.shutdown(socket.SHUT_WR)

    def send_some(self, data: bytes) -> int:
        """Send as many bytes as the service takes, without waiting; return how many."""
        try:
            return self._socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0

    def receive(self, *, is_head: bool = False) -> Answer:
        """Receive a response; one to HEAD has no body, whatever its Content-Length."""
        head = self._take_until(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, value = line.split(": ", 1)
            assert name.lower() not in headers, f"two headers {name}"
            headers[name.lower()] = value
        size = 0 if is_head else int(headers.get("content-length", "0"))
        return Answer(int(first.split(" ")[1]), headers, self.take(size))

    def ask(self, data: bytes) -> Answer:
        """Send bytes and receive a response."""
        self.send(data)
        return self.receive()

    def has_answer(self) -> bool:
        """Tell, without waiting, whether something has come."""
        poll = select.poll()  # select() knows no descriptor beyond 1,023.
        poll.register(self._socket, select.POLLIN)
        return bool(self._received or poll.poll(0))

    def is_at_end(self) -> bool:
        """Wait for more bytes or the end, and tell whether it was the end."""
        if not self._received:
            self._received = self._socket.recv(65536)
        return not self._received

    def rest(self) -> bytes:
        """Receive all that comes before the end."""
        while data := self._socket.recv(65536):
            self._received += data
        return self._received

    def _take_until(self, mark: bytes) -> bytes:
        while mark not in self._received:
            self._receive_more()
        taken, _, self._received = self._received.partition(mark)
        return taken

    def take(self, size: int) -> bytes:
        """Receive this number of bytes."""
        while len(self._received) < size:
            self._receive_more()
        taken, self._received = self._received[:size], self._received[size:]
        return taken

    def _receive_more(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionResetError(f"the end came after {self._received!r}")
        self._received += data


def exchange(port: int, request: bytes) -> Answer:
    """Send bytes on a connection of their own and receive one response."""
    with Client(port) as client:
        return client.ask(request)


def exchange_all(port: int, data: bytes) -> list[Answer]:
    """Send bytes, and nothing after them, on a connection of their own, and receive all that comes."""
    answers = []
    with Client(port) as client:
        client.send(data)
        client.end()
        while not client.is_at_end():
            answers.append(client.receive())
    return answers


def get(port: int, target: str, *headers: str, method: str = "GET") -> Answer:
    """Send a request without a body and receive the response."""
    lines = [f"{method} {target} HTTP/1.1", "Host: test", *headers, "", ""]
    return exchange(port, "\r\n".join(lines).encode("latin-1"))


def post(body: bytes, *headers: str, target: str = "/echo") -> bytes:
    """Make the bytes of a POST with a Content-Length."""
    lines = [f"POST {target} HTTP/1.1", "Host: test", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def post_chunked(*chunks: bytes, target: str = "/echo") -> bytes:
    """Make the bytes of a POST in chunks."""
    head = f"POST {target} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


def is_refused(port: int) -> bool:
    """Tell whether a port no longer has a listener."""
    try:
        Client(port).close()
    except OSError:
        return True
    return False


def curl(port: int, command: str) -> Answer:
    """Send what a curl command of the pages would send; a machine with nothing but Python and make has no curl."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-X", dest="method", default="GET")
    parser.add_argument("-d", dest="body", default="")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("address")
    arguments = parser.parse_args(shlex.split(command.removeprefix("curl ")))
    target = "/" + arguments.address.partition("://")[2].partition("/")[2]
    body = arguments.body.encode()
    headers = ["Host: test", f"Content-Length: {len(body)}", "Content-Type: application/x-www-form-urlencoded"]
    head = "\r\n".join([f"{arguments.method} {target} HTTP/1.1", *headers, *arguments.headers, "", ""])
    return exchange(port, head.encode() + body)
