"""The pool of threads: responses run beside each other, each whole in one thread."""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.unit.serving.http.conftest import Running

Serve = Callable[..., "Running"]

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_requests_are_served_beside_each_other(serve: Serve) -> None:
    """As many requests as there are threads are served at the same time, and the next ones when a thread is idle."""
    meeting = threading.Barrier(3)

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"%d" % meeting.wait(20)]

    server = serve(application, threads=3)
    clients = [server.client() for _ in range(6)]
    for client in clients:
        client.send(GET)
    assert [b"0", b"0", b"1", b"1", b"2", b"2"] == sorted(client.receive().body for client in clients)


def test_a_response_stays_in_its_thread(serve: Serve) -> None:
    """The application is called, its response read and closed in one and the same thread, and not in the server's."""
    threads: list[threading.Thread] = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            """Hand out pieces."""
            for _ in range(2):
                threads.append(threading.current_thread())
                yield b"piece"

        def close(self) -> None:
            """Note the thread."""
            threads.append(threading.current_thread())

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        threads.append(threading.current_thread())
        start_response("200 OK", [("Content-Length", "10")])
        return Body()

    server = serve(application, threads=2)
    assert b"piecepiece" == server.client().ask(GET).body
    server.wait_until(lambda: server.served)
    assert (4, 1) == (len(threads), len(set(threads)))
    assert threads[0].name.startswith("application")
