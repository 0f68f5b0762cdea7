"""Two instances behind config/haproxy.cfg, each replaced in turn under load: no client sees an error."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import example
from tests.support.http_client import Client, exchange, get, is_refused
from tests.support.load import Load
from tests.support.paths import ROOT
from tests.support.service import Service, free_ports, wait_until

REPLACEMENTS = 20
SETTINGS = {"WEB_CONCURRENCY": 2, "DRAIN_SECONDS": 2, "FORWARDED_ALLOW_IPS": "127.0.0.1"}
SUM = example.REQUEST


class Instance:
    """An instance of the service: always at the same ports, each time another process with another log."""

    def __init__(self, folder: Path, name: str) -> None:
        self.ports = free_ports(2)
        self._outputs = (folder / f"{name}-{number}" for number in range(REPLACEMENTS + 1))
        self.service = self._start()

    def replace(self) -> None:
        """Stop it and start it again, and wait until it has got its first request from the balancer."""
        assert self.service.stop() == 0
        self.service = self._start()
        wait_until(lambda: self.service.requests(route="/"), "the balancer sends requests again")

    def _start(self) -> Service:
        ports = dict(zip(("PORT", "METRICS_PORT"), self.ports, strict=True))
        service = Service(next(self._outputs), SETTINGS | ports)
        service.port, service.metrics_port = self.ports
        service.wait_until_ready()
        return service


@contextmanager
def balancer(*instances: Instance) -> Iterator[int]:
    """Run HAProxy with the configuration of the repository; give its port."""
    (port,) = free_ports(1)
    addresses = [f"127.0.0.1:{instance.ports[0]}" for instance in instances]
    variables = dict(zip(("BALANCER_PORT", "ONE", "OTHER"), (str(port), *addresses), strict=True))
    # Debian keeps it where only root looks.
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("no HAProxy: apt-get install haproxy")
    configuration = str(ROOT / "config" / "haproxy.cfg")
    process = subprocess.Popen([program, "-db", "-f", configuration], env=os.environ | variables)
    try:

        def is_ready() -> bool:
            assert process.poll() is None
            try:
                return get(port, "/readyz").status == 200
            except ConnectionError:
                return False

        wait_until(is_ready, "the balancer answers")
        yield port
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def instances(tmp_path: Path) -> Iterator[tuple[Instance, Instance]]:
    """Start two instances."""
    started: list[Instance] = []
    try:
        started.extend(Instance(tmp_path, name) for name in ("one", "other"))
        yield started[0], started[1]
    finally:
        for instance in started:
            instance.service.kill()


def test_rolling_replacement(instances: tuple[Instance, Instance]) -> None:
    """Each instance is stopped and started in turn, twenty times in all, under load: every request is answered."""
    with balancer(*instances) as port:
        load = Load(port)
        with load.running():
            for number in range(REPLACEMENTS):
                instances[number % 2].replace()
    assert ([], {}, {200}) == (load.refused, load.lost, set(load.answers.values()))
    print({"replacements": REPLACEMENTS, "answered": len(load.answers), "slowest": max(load.seconds)})  # noqa: T201


def test_the_client_is_in_the_log(instances: tuple[Instance, Instance]) -> None:
    """The log has the address of the client, and neither that of the balancer nor one that the client has made up."""
    with balancer(*instances) as port:
        with socket.create_connection(("127.0.0.1", port), 20, source_address=("127.0.0.5", 0)) as client:
            client.sendall(SUM.replace(b"Host", b"X-Forwarded-For: 192.0.2.1\r\nHost"))
            assert client.recv(65536).endswith(example.ANSWER)
        lines = wait_until(lambda: [line for i in instances for line in i.service.requests(route="/")], "it is logged")
        assert ["127.0.0.5"] == [line["client"] for line in lines]


def test_no_instance(instances: tuple[Instance, Instance]) -> None:
    """Where both instances are gone, the balancer says so in the form of the service, and when to come again."""
    with balancer(*instances) as port:
        for instance in instances:
            instance.service.kill()
        answer = wait_until(lambda: (a := exchange(port, SUM)).status == 503 and a, "the balancer refuses")
        assert ("application/problem+json", "1") == (answer.headers["content-type"], answer.headers["retry-after"])
        assert 503 == answer.json()["status"]


def test_an_instance_that_is_killed(instances: tuple[Instance, Instance]) -> None:
    """Requests on new connections find the other instance, although the balancer does not know of the death yet."""
    with balancer(*instances) as port:
        with Client(port) as client:
            assert client.ask(SUM).body == example.ANSWER
        instances[0].service.kill()
        wait_until(lambda: is_refused(instances[0].ports[0]), "the instance is gone")
        assert {example.ANSWER} == {exchange(port, SUM).body for _ in range(20)}
