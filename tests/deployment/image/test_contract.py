"""The two commands of the contract, literally."""

import json
import socket
import subprocess
import time

import pytest

from tests.support import engine, example
from tests.support.engine import Start


def test_two_commands_and_a_curl(image: str) -> None:
    """After `docker build` and `docker run`, as the contract writes them, a curl is answered."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 5000)) == 0:
            pytest.skip("port 5000 is taken: stop what listens there")
    container = engine.Container("-p", "5000:5000", image=image)
    try:
        engine.until(container.answers)
        curl = ["curl", "--silent", "-X", example.METHOD, "-d", example.BODY, f"http://localhost:5000{example.ROUTE}"]
        assert subprocess.check_output(curl) == example.ANSWER
        engine.until(lambda: container.health() == "healthy")
    finally:
        container.remove()


@pytest.mark.parametrize("command", [["sh"], ["python", "-c", "print()"], ["--bind", "127.0.0.1"]])
def test_no_other_command(image: str, command: list[str]) -> None:
    """What is asked for besides the server ends with status 64 and one line that names the variables."""
    ended = subprocess.run(["docker", "run", "--rm", image, *command], check=False, capture_output=True, text=True)
    (line,) = map(json.loads, ended.stdout.splitlines())
    assert (64, "critical", "") == (ended.returncode, line["level"], ended.stderr)
    assert "WEB_CONCURRENCY" in line["event"]


def test_start(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """It serves soon after `docker run`; how soon is printed, since a limit would measure the load of the machine."""
    begun = time.monotonic()
    container = start(*engine.HARDENED)
    engine.until(container.answers, seconds=60)
    taken = time.monotonic() - begun
    with capsys.disabled():
        print(f"\nfrom `docker run` to the first answer: {taken:.2f} s")  # noqa: T201


def test_main_process_is_the_server(start: Start) -> None:
    """PID 1 is Python itself: with a shell in front of it, a stop would never reach the server."""
    container = start()
    command = container.python("print(open('/proc/1/cmdline').read().split(chr(0)))")
    assert command == "['/opt/venv/bin/python', 'app/app.py', '']\n"


def test_healthcheck_finds_a_dead_service(start: Start) -> None:
    """The container turns unhealthy when the service no longer answers, and not merely when the process is gone."""
    container = start("--health-interval", "1s", "--health-retries", "1", "--health-start-period", "0s")
    engine.until(lambda: container.health() == "healthy")
    engine.run("kill", "--signal", "STOP", container.name)
    container.python(
        "import os, signal\n"
        "for name in filter(str.isdigit, os.listdir('/proc')):\n"
        "    if name not in ('1', str(os.getpid())): os.kill(int(name), signal.SIGSTOP)",
    )
    engine.until(lambda: container.health() == "unhealthy")
