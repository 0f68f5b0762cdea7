"""Memory: the costliest bodies at the default limit leave a container of 128 MB alive."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from costliest import COSTLIEST
from http_client import Client, post
from memory import proportional_bytes
from service import Service, running, wait_until_workers

CONTAINER_BYTES = 128 * 1000 * 1000
CLIENTS = 8

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="the memory of a tree of processes is told by Linux only"
)


@pytest.fixture(scope="module")
def unmeasured_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service with two workers, and without the measuring of coverage, which takes memory itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        with running(tmp_path_factory.mktemp("unmeasured") / "output") as service:
            wait_until_workers(service, 2)
            yield service


@pytest.mark.parametrize("name", COSTLIEST)
def test_eight_of_the_costliest_bodies_fit(unmeasured_service: Service, name: str) -> None:
    """While eight clients send one of the costliest bodies at once, the service stays small."""
    request = post(COSTLIEST[name])
    workers = unmeasured_service.workers()
    done = threading.Event()
    measured: list[int] = []

    def measure() -> None:
        with suppress(psutil.NoSuchProcess):
            while not done.wait(0.002):
                measured.append(proportional_bytes(unmeasured_service))

    def ask() -> None:
        with Client(unmeasured_service.port) as client:
            client.ask(request)

    observer = threading.Thread(target=measure)
    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in (observer, *clients):
        thread.start()
    for thread in clients:
        thread.join()
    done.set()
    observer.join()
    assert workers == unmeasured_service.workers()
    assert max(measured) < CONTAINER_BYTES
