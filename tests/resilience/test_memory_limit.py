"""The memory limit of a container: not reached by what is permitted, and survived or told where it is."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest

from tests.support import engine, example
from tests.support.costliest import COSTLIEST, MEBIBYTE
from tests.support.engine import Container, Start
from tests.support.http_client import Client, exchange
from tests.support.load import Load
from tests.support.paths import NAME
from tests.support.service import wait_until
from tests.support.sums import post

# Of the largest size, and of one at which thousands could be held.
BODIES = {
    "large": [*COSTLIEST.values()],
    "small": [body[: MEBIBYTE // 80].rpartition(b",")[0] + b"]}" for body in COSTLIEST.values()],
}

# How many costly bodies are sent by all clients of a test together.
REQUESTS = 400

# As many as two workers keep, and each a little less than a single request may have for its head.
CONNECTIONS = 2000
EVICTED = 0
LARGE_HEAD = b"".join(b"X-%02d: %s\r\n" % (number, b"x" * 155) for number in range(90))
# Not the image of the other tests, which is built at the same time.
TAG = f"{NAME}:memory-limit"


@pytest.fixture(scope="module")
def image() -> str:
    """Build the image."""
    try:
        engine.run("version")
    except (OSError, RuntimeError):
        pytest.skip("no Docker engine answers: install docker.io (or Docker) and start dockerd")
    engine.build(TAG)
    return TAG


@pytest.fixture
def start(image: str) -> Iterator[Start]:
    """Start containers with a memory limit and without swap."""
    started: list[Container] = []

    def start(megabytes: int, *options: str) -> Container:
        limit = f"{megabytes}m"
        memory = ("--memory", limit, "--memory-swap", limit, "--env", "WEB_CONCURRENCY=2")
        ports = ("--publish", "127.0.0.1::5000", "--publish", "127.0.0.1::9464")
        started.append(Container(*memory, *ports, *options, image=image))
        return started[-1]

    yield start
    for container in started:
        container.remove()


def killed(container: Container) -> list[str]:
    """List the lines that tell of a killed worker."""
    return [line["event"] for line in container.log() if "SIGKILL" in line["event"]]


def status_of(client: Client) -> int:
    """Receive an answer, or learn that the client had to give way to the one connection more than there may be."""
    try:
        return client.receive().status
    except ConnectionResetError:
        return EVICTED


@pytest.mark.parametrize("size", BODIES)
@pytest.mark.parametrize("clients", [8, 32, 128])
def test_the_costliest_bodies(start: Start, size: str, clients: int) -> None:
    """Clients that send nothing but the costliest bodies are answered, or rejected, and get 128 MB killed nowhere."""
    container = start(128)
    engine.until(container.answers)
    port = container.port()
    requests = [post(body) for body in BODIES[size]]

    def ask(client: int) -> list[int]:
        chosen = [requests[(client + number) % len(requests)] for number in range(max(REQUESTS // clients, 9))]
        return [exchange(port, request).status for request in chosen]

    with ThreadPoolExecutor(clients) as pool:
        statuses = Counter(status for client in pool.map(ask, range(clients)) for status in client)
    print(statuses)  # noqa: T201
    assert {200, 422} <= set(statuses) <= {200, 400, 422, 503}
    assert [] == killed(container)
    assert not container.state()["OOMKilled"]


def test_clients_that_leave_at_once(start: Start) -> None:
    """Two clients that post large bodies and never wait for an answer get 128 MB killed nowhere."""
    container = start(128)
    engine.until(container.answers)
    port = container.port()
    requests = [post(body) for body in BODIES["large"]]

    def post_and_leave(client: int) -> None:
        for number in range(REQUESTS):
            with Client(port) as leaving, suppress(OSError):
                leaving.send(requests[(client + number) % len(requests)])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(post_and_leave, range(2)))
    assert example.ANSWER == exchange(port, example.REQUEST).body
    assert [] == killed(container)
    assert not container.state()["OOMKilled"]


@pytest.mark.usefixtures("many_descriptors")
def test_large_heads(start: Start) -> None:
    """As many clients as there may be, each with a large head and a body begun, get 128 MB killed nowhere."""
    container = start(128)
    engine.until(container.answers)
    port = container.port()
    begun = post(bytes(MEBIBYTE)).replace(b"\r\n\r\n", b"\r\n%s\r\n" % LARGE_HEAD)[: len(LARGE_HEAD) + 16_000]
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(port)) for _ in range(CONNECTIONS)]
        for client in clients:
            client.send(begun)
        assert example.ANSWER == exchange(port, example.REQUEST).body
        statuses = Counter(status_of(client) for client in clients if client.has_answer())
    print(statuses)  # noqa: T201
    assert 503 in statuses
    assert {503, EVICTED} >= set(statuses)
    assert [] == killed(container)
    assert not container.state()["OOMKilled"]


def test_a_worker_that_is_killed_for_memory(start: Start) -> None:
    """Where larger bodies are allowed than there is memory for, the kernel takes a worker, and the service is back.

    Of sixteen other clients it takes the requests that were inside of it, and no others.
    """
    container = start(128, "--env", f"MAX_BODY_BYTES={64 * 1024 * 1024}")
    engine.until(container.answers)
    body = b'{"data":[' + b",".join(b"%d.5" % number for number in range(5_000_000)) + b"]}"
    load = Load(container.port())
    with load.running():
        for _ in range(3):
            with suppress(OSError):
                exchange(container.port(), post(body))
        engine.until(lambda: killed(container))
        begun = len(load.answers)
        wait_until(lambda: len(load.answers) > begun + 2000, "the load goes on")
    assert "running" == container.state()["Status"]
    crashed = f'gunicorn_worker_exits_total{{reason="crashed"}} {len(killed(container)):.1f}'
    engine.until(lambda: crashed in container.ask("GET", "/metrics", inside=9464)[1])
    assert [] == load.refused
    assert len(load.lost) <= len(killed(container)) * load.clients
    # Small sums may find that the large one is more work than can be done in time.
    assert {200} <= set(load.answers.values()) <= {200, 503}
    # Docker's own reader of the log may fall behind.
    dropped = float(
        container.ask("GET", "/metrics", inside=9464)[1].partition("\nlog_lines_dropped_total ")[2].split()[0]
    )

    def missing() -> int:
        logged = {line["request_id"] for line in container.log() if line["event"] == "request"}
        return len(load.answers.keys() - logged)

    engine.until(lambda: missing() <= dropped)
    print({"answered": len(load.answers), "lost": len(load.lost), "dropped": dropped})  # noqa: T201


def test_a_limit_that_is_too_small(start: Start) -> None:
    """A container that cannot hold the service ends, and Docker tells why: it does not die a little again and again."""
    container = start(32)
    engine.until(lambda: "exited" == container.state()["Status"])
    state = container.state()
    assert (137, True) == (state["ExitCode"], state["OOMKilled"])
