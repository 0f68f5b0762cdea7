"""Settings that are wrong, empty, or that collide with what else runs on the machine."""

import socket
from contextlib import closing
from pathlib import Path

import pytest

from app.settings import VARIABLES
from tests.support import example
from tests.support.http_client import Client, exchange
from tests.support.loopback import needs_ipv6
from tests.support.service import PROGRAM, Service, running, wait_until

BAD_SETTINGS = [
    ("PORT", "http"),
    ("PORT", "65536"),
    ("METRICS_PORT", "0"),
    ("METRICS_PORT", "5000"),
    ("WEB_CONCURRENCY", "many"),
    ("WEB_CONCURRENCY", "0"),
    ("THREADS", "-1"),
    ("LOG_LEVEL", "loud"),
    ("LOG_FORMAT", "xml"),
    ("MAX_BODY_BYTES", "1_000"),
    ("BIND", "localhost"),
    ("KEEP_ALIVE", "0"),
    ("GRACEFUL_TIMEOUT", "8s"),
    ("DRAIN_SECONDS", "\u0663"),
    ("FORWARDED_ALLOW_IPS", "example.org"),
    ("REVISION", "\udcff"),
]


@pytest.mark.parametrize(("variable", "value"), BAD_SETTINGS)
def test_a_bad_setting_stops_the_start(variable: str, value: str, output: Path) -> None:
    """A bad value is told in one line, with the variable, the value and what is accepted; the exit status is 78."""
    status, line = Service(output, {"PORT": 5000, variable: value}).refusal()
    assert 78 == status
    assert ("critical", variable) == (line["level"], line["variable"])
    assert f"{variable} is {value!r}, but must be " in line["event"]


def test_every_setting_has_a_bad_value_here() -> None:
    """The table above misses no setting."""
    assert set(VARIABLES) == {variable for variable, _ in BAD_SETTINGS}


def test_empty_settings_are_none(output: Path) -> None:
    """A variable that is set to nothing, as Compose does it for one that is missing, counts as not set."""
    empty = {variable: "" for variable, _ in BAD_SETTINGS if "PORT" not in variable}
    with running(output, **empty) as service:
        assert exchange(service.port, example.REQUEST).body == example.ANSWER


@pytest.mark.parametrize("variable", ["PORT", "METRICS_PORT"])
def test_a_taken_port_is_told_in_one_line(variable: str, output: Path) -> None:
    """A port that another program listens on ends the start with status 69 and the name of the setting."""
    with closing(socket.create_server(("0.0.0.0", 0))) as holder:  # noqa: S104 - as the service binds
        port = holder.getsockname()[1]
        status, line = Service(output, {variable: port}).refusal()
    assert 69 == status
    assert ("critical", variable) == (line["level"], line["variable"])
    assert str(port) in line["event"]


@needs_ipv6
def test_both_families_are_served(product: Service) -> None:
    """By default a client reaches both ports over IPv4 and over IPv6."""
    for host in ("127.0.0.1", "::1"):
        for port, path in ((product.port, "/healthz"), (product.metrics_port, "/metrics")):
            with Client(port, host) as client:
                assert client.ask(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode()).status == 200


def test_bind(output: Path) -> None:
    """With an address in BIND, there is no other at which the service is reached."""
    with running(output, BIND="127.0.0.1") as service:
        assert exchange(service.port, example.REQUEST).body == example.ANSWER
        for port in (service.port, service.metrics_port):
            with pytest.raises(ConnectionRefusedError):
                Client(port, "127.0.0.2")


def test_keep_alive(output: Path) -> None:
    """KEEP_ALIVE says how long a connection may be idle."""
    with running(output, KEEP_ALIVE=1) as service, Client(service.port) as client:
        assert client.ask(example.REQUEST).body == example.ANSWER
        assert client.is_at_end()


def test_arguments_are_refused(output: Path) -> None:
    """An argument ends the start with status 64 and one line that names the variables."""
    status, line = Service(output, {}, program=(*PROGRAM, "--bind", "127.0.0.1")).refusal()
    assert 64 == status
    assert "critical" == line["level"]
    assert [] == [variable for variable in VARIABLES if variable not in line["event"]]


def test_a_start_waits_for_ports_that_are_being_given_up(output: Path, tmp_path: Path) -> None:
    """When the master is killed, a new one may be started at once, although the old workers are still there."""
    with running(output) as first:
        first.process.kill()
        first.wait()
        ports = {"PORT": first.port, "METRICS_PORT": first.metrics_port}
        second = Service(tmp_path / "second", {"WEB_CONCURRENCY": 2, **ports})
        second.port = first.port
        try:
            wait_until(lambda: "Listening" in second.text(), "the second one has the ports")
            second.wait_until_ready()
            assert exchange(second.port, example.REQUEST).body == example.ANSWER
            assert second.stop() == 0
        finally:
            second.kill()
