"""The health check of the container."""

import runpy
import socket
from collections.abc import Iterator
from threading import Thread

import pytest

from app import healthcheck


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Listen on a free port of this host."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def answer_once(listener: socket.socket, response: bytes) -> Thread:
    """Answer one request in the background."""

    def answer() -> None:
        client, _ = listener.accept()
        with client:
            client.recv(65_536)
            client.sendall(response)

    thread = Thread(target=answer)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", 0),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", 1),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 1),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 1),
        (b"no HTTP at all\r\n\r\n", 1),
        (b"", 1),
    ],
)
def test_answer(listener: socket.socket, response: bytes, expected: int) -> None:
    """Only 200 is healthy."""
    thread = answer_once(listener, response)
    assert expected == healthcheck.main({"PORT": str(listener.getsockname()[1])})
    thread.join()


def test_no_listener(listener: socket.socket) -> None:
    """A port that is closed is unhealthy."""
    port = listener.getsockname()[1]
    listener.close()
    assert 1 == healthcheck.main({"PORT": str(port)})


def test_silence(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts and does not answer is unhealthy within the time limit."""
    monkeypatch.setattr(healthcheck, "TIMEOUT_SECONDS", 0.05)
    assert 1 == healthcheck.main({"PORT": str(listener.getsockname()[1])})


@pytest.mark.parametrize("environ", [{}, {"PORT": ""}])
def test_default_port(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a setting, or with an empty one, the port is the service's own default."""
    asked: list[object] = []

    class Connection:
        """A connection that cannot be made."""

        def __init__(self, *arguments: object, **_: object) -> None:
            asked.extend(arguments)

        def request(self, *arguments: object) -> None:
            """Fail."""
            asked.extend(arguments)
            raise OSError

        def close(self) -> None:
            """Close."""

    monkeypatch.setattr(healthcheck.http.client, "HTTPConnection", Connection)
    assert 1 == healthcheck.main(environ)
    assert ["127.0.0.1", 5000, "GET", "/readyz"] == asked


def test_program(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as a program, it exits with the status."""
    monkeypatch.setenv("PORT", str(listener.getsockname()[1]))
    listener.close()
    with pytest.raises(SystemExit, match=r"^1$"):
        runpy.run_path(str(healthcheck.__file__), run_name="__main__")


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104
        ("::", "::1"),
        ("::1", "::1"),
        ("127.0.0.2, ::1", "127.0.0.2"),
    ],
)
def test_address(bind: str, expected: str) -> None:
    """The probe asks where BIND says that the service listens, by default on the loopback address."""
    assert expected == healthcheck.address({"BIND": bind})
