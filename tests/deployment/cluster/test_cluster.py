"""The life of one stack, in the order of this file: deployed, scaled, killed, rolled on and back, always under load."""

import json
import re
from collections.abc import Mapping
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
import yaml

from tests.deployment.cluster.builds import BROKEN, SECOND
from tests.deployment.cluster.clients import Half, Load
from tests.deployment.cluster.swarm import FILE, Swarm
from tests.support import engine, example
from tests.support.scraping import ANSWERED

REPLICAS = 4


def assert_unharmed(load: Load, answers: int) -> None:
    """Assert that no client has seen an error so far, and that there were clients: more answers than before."""
    engine.until(lambda: load.answers > answers + 100 or load.errors)
    assert load.errors == []


def answered(address: str, port: int) -> tuple[int, Mapping[str, str], bytes]:
    """Send the example, and return status, headers and body, or 0 where there is no answer."""
    connection = HTTPConnection(address, port, timeout=10)
    try:
        connection.request(example.METHOD, example.ROUTE, example.BODY)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    except (OSError, HTTPException):
        return 0, {}, b""
    finally:
        connection.close()


def revisions(stack: Swarm) -> set[str]:
    """Ask each replica which source it runs."""
    program = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:5000/version').read().decode())"
    return {json.loads(stack.python(name, program))["revision"] for name in stack.containers("app")}


def test_deploys(stack: Swarm, load: Load) -> None:
    """One command later four replicas are healthy, and answer through the balancer."""
    assert ["healthy"] * REPLICAS == [stack.health(name) for name in stack.containers("app")]
    assert_unharmed(load, 0)


def test_hardened(stack: Swarm) -> None:
    """Each container is read-only, limited, without capabilities and privileges to gain; the service is not root."""
    for service in ("app", "balancer", "prometheus"):
        (container, *_) = stack.containers(service)
        found = stack.inspect(container)
        host = found["HostConfig"]
        assert (True, ["ALL"]) == (host["ReadonlyRootfs"], host["CapDrop"])
        assert min(host["Memory"], host["NanoCpus"], host["PidsLimit"]) > 0
        status = Path(f"/proc/{found['State']['Pid']}/status").read_text()
        held = dict(re.findall(r"^(CapEff|CapBnd|NoNewPrivs|Seccomp):\s+(\S+)", status, re.MULTILINE))
        assert {"CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"} == held
        if service == "app":
            assert "Uid:\t10001\t" in status


def test_no_way_out(stack: Swarm) -> None:
    """The service has no route but to its own networks, and its shared memory is as small as in Compose."""
    (container, *_) = stack.containers("app")
    routes = stack.python(container, "print(open('/proc/net/route').read())").splitlines()[1:]
    assert [line for line in routes if line.strip() and line.split()[1] == "00000000"] == []
    size = "import os; found = os.statvfs('/dev/shm'); print(found.f_blocks * found.f_frsize)"
    assert 16 * 1024 * 1024 == int(stack.python(container, size))


def test_client_in_the_log(stack: Swarm, load: Load) -> None:
    """The log lines of the service have the address of the client, and not that of the balancer."""
    assert_unharmed(load, load.answers)
    (container, *_) = stack.containers("app")
    lines = [json.loads(line) for line in stack.docker("logs", "--tail", "100", container).splitlines()]
    assert {stack.gateway} == {line["client"] for line in lines if line["event"] == "request"}


def test_errors_of_the_balancer(stack: Swarm) -> None:
    """An answer of the balancer's own, without a replica to ask, has the form of an error of the service."""
    service = yaml.safe_load(FILE.read_text())["services"]["balancer"]
    mount = f"{FILE.parent}/swarm/haproxy.cfg:{service['configs'][0]['target']}:ro"
    container = stack.docker("run", "--detach", "--publish", "5001:5000", "--volume", mount, service["image"]).strip()
    try:
        engine.until(lambda: answered(stack.address, 5001)[0] == 503)
        _, headers, body = answered(stack.address, 5001)
    finally:
        stack.docker("rm", "--force", container)
    assert ("application/problem+json", "1") == (headers["Content-Type"], headers["Retry-After"])
    assert {"type", "title", "status", "detail"} == json.loads(body).keys()


@pytest.mark.parametrize("replicas", [8, 2, REPLICAS])
def test_scales(stack: Swarm, load: Load, replicas: int) -> None:
    """Replicas come and go, and Prometheus finds each of them, all with requests to their account."""
    answers = load.answers
    stack.scale(replicas)
    counted = f"{ANSWERED} > 0"
    expression = f"up == 1 and on (instance) {counted}"
    engine.until(lambda: len(stack.query(expression)) == len(stack.query("up")) == replicas, 60)
    assert_unharmed(load, answers)


def test_killed_container(stack: Swarm, load: Load) -> None:
    """A replica is killed with requests inside: others answer them, begun ones too, and another takes its place."""
    answers = load.answers
    (killed, *_) = stack.containers("app")
    with ExitStack() as connections:
        # As many as have one on each replica, if the balancer gave them away before they are whole.
        halves = [connections.enter_context(Half(stack.address)) for _ in range(4 * REPLICAS)]
        stack.docker("kill", killed)
        engine.until(lambda: killed not in stack.containers("app"))
        assert [(200, example.ANSWER)] * len(halves) == [half.complete() for half in halves]
    stack.wait_for(REPLICAS)
    assert_unharmed(load, answers)


def test_second_build(stack: Swarm, load: Load) -> None:
    """A rolling update puts the second build in the place of the first."""
    answers = load.answers
    assert {"first"} == revisions(stack)
    assert "completed" == stack.roll(SECOND)
    stack.wait_for(REPLICAS)
    assert {"second"} == revisions(stack)
    assert_unharmed(load, answers)


@pytest.mark.parametrize("image", BROKEN)
def test_broken_build(stack: Swarm, load: Load, image: str) -> None:
    """A build that does not turn healthy is taken back, and has never been asked for anything."""
    answers = load.answers
    assert "rollback_completed" == stack.roll(image)
    # Of Docker 20.10, on a busy machine: config/swarm.yaml tells of it. More than was asked for harms no client.
    stack.wait_for(REPLICAS, or_more=True)
    assert {"second"} == revisions(stack)
    assert_unharmed(load, answers)
