"""The image under everything that Docker can take away from it."""

from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest

from tests.support import engine
from tests.support.costliest import COSTLIEST
from tests.support.engine import Start

ASK = """
import http.client, sys
method, port, path, body = sys.argv[1:]
connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=5)
connection.request(method, path, body or None)
response = connection.getresponse()
print(response.status, response.read().decode(), end="")
"""
LIMITS = ("--pids-limit", "64", "--memory", "128m", "--user", "12345:12345")


# Not an --internal network: engine 20.10 gives it a default route, which only leads nowhere.
SEALED = ("--network", "none")


def test_nothing_but_the_image(image: str) -> None:
    """Without capabilities, writable files, a route out or its own user, it serves, scrapes, logs, turns healthy."""
    container = engine.Container(*engine.HARDENED, *LIMITS, *SEALED, image=image)
    try:
        engine.until(lambda: container.health() == "healthy")
        assert container.python("print(open('/proc/net/route').read().count('00000000'))") == "0\n"
        assert container.python(ASK, "POST", "5000", "/", '{"data": [1, "2"]}') == "200 3\n"
        assert 'sum_requests_total{outcome="ok"} 1.0' in container.python(ASK, "GET", "9464", "/metrics", "")
        assert [line["path"] for line in container.log() if line["event"] == "request"] == ["/"]
    finally:
        container.remove()


def test_writes_nothing(start: Start) -> None:
    """Where the root is writable it writes there none the less: the layer of the container stays empty."""
    container = start("--user", "0:0")
    engine.until(container.answers)
    container.ask("POST", "/", '{"data": [1, 2]}')
    assert engine.run("diff", container.name) == ""


def test_threads_may_end(start: Start) -> None:
    """Glibc finds the library that it loads by name when a thread is cancelled; without it the process would abort."""
    container = start()
    assert container.python("import ctypes; print(ctypes.CDLL('libgcc_s.so.1')._name)") == "libgcc_s.so.1\n"


@pytest.mark.parametrize("name", COSTLIEST)
def test_eight_of_the_costliest_bodies_at_once(start: Start, name: str) -> None:
    """128 MB without swap bear eight of the costliest bodies at the default limit: all answered, nobody killed."""
    container = start("--memory", "128m", "--memory-swap", "128m", "--env", "WEB_CONCURRENCY=2")
    engine.until(container.answers)
    port = container.port()

    def ask(_number: int) -> int:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("POST", "/", COSTLIEST[name])
            return connection.getresponse().status
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as clients:
        statuses = set(clients.map(ask, range(8)))
    assert statuses <= {200, 400, 422}
    assert not container.state()["OOMKilled"]
    assert [line["event"] for line in container.log() if line["level"] in {"error", "critical"}] == []
