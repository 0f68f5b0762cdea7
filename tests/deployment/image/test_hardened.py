"""The image under everything that Docker can take away from it."""

from tests.support import engine, example
from tests.support.engine import Start
from tests.support.scraping import ANSWERED

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
        answer = container.python(ASK, example.METHOD, "5000", example.ROUTE, example.BODY.decode())
        assert answer == f"200 {example.ANSWER.decode()}"
        counted = f"{ANSWERED} 1.0"
        assert counted in container.python(ASK, "GET", "9464", "/metrics", "")
        assert [line["path"] for line in container.log() if line["event"] == "request"] == [example.ROUTE]
    finally:
        container.remove()


SPOOL = """
from werkzeug.formparser import default_stream_factory
file = default_stream_factory(1_000_000, None, None)
file.write(bytes(1_000_000))
print(file.tell())
"""


def test_a_large_upload_is_spooled(start: Start) -> None:
    """Where nothing can be written but shared memory, a file of a size that Flask keeps on a disk is taken."""
    container = start(*engine.HARDENED)
    engine.until(container.answers)
    assert "1000000\n" == container.python(SPOOL)


def test_writes_nothing(start: Start) -> None:
    """Where the root is writable it writes there none the less: the layer of the container stays empty."""
    container = start("--user", "0:0")
    engine.until(container.answers)
    assert container.serves()
    assert engine.run("diff", container.name) == ""


def test_threads_may_end(start: Start) -> None:
    """Glibc finds the library that it loads by name when a thread is cancelled; without it the process would abort."""
    container = start()
    assert container.python("import ctypes; print(ctypes.CDLL('libgcc_s.so.1')._name)") == "libgcc_s.so.1\n"
