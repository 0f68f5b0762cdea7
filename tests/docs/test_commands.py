"""Commands: what the pages tell a reader to type is there, and some test types it."""

import re

import pytest

from tests.support.pages import PAGES, commands
from tests.support.paths import ROOT

# How a command begins, and the test that runs it or its like.
RUN_BY = {
    r"curl -X POST ": "tests/docs/sums/test_sessions.py",
    r"curl -s http://127.0.0.1:9464/metrics": "tests/deployment/rehearsal/test_rehearsal.py",
    r"docker build --target debug |docker run --rm -it --entrypoint sh": "tests/deployment/image/test_targets.py",
    r"docker build \. (-t|--build-arg PYTHON_IMAGE)": "tests/deployment/image/conftest.py",
    r"docker run -d -p ": "tests/deployment/image/test_contract.py",
    r"docker run -d --read-only ": "tests/deployment/image/test_hardened.py",
    r"docker (cp|exec|export|logs) ": "tests/deployment/image/test_contents.py",
    r"(OTEL=yes OTEL_EXPORTER_OTLP_ENDPOINT=\S+ )?docker compose ": "tests/deployment/image/test_compose.py",
    r"OTEL_EXPORTER_OTLP_ENDPOINT=\S+ make run OTEL=1": "tests/service/test_traces.py",
    r"docker swarm |docker stack |IMAGE=\S+ docker stack ": "tests/deployment/cluster/test_cluster.py",
    r"kubectl ": "tests/deployment/cluster/test_kustomize.py",
    r"cosign verify |config/release/verify\.sh |git checkout v|PYTHON_IMAGE=\S+ make release-build": (
        "tests/deployment/release/test_release.py"
    ),
    r"docker buildx imagetools inspect ": "tests/deployment/release/test_release.py",
    r"syft scan ": "tests/deployment/image/test_scanner.py",
    r"vagrant (up|destroy)|BOX_URL=\S+ vagrant up": "tests/deployment/rehearsal/test_rehearsal.py",
    r"make run|DRAIN_SECONDS=2 |haproxy ": "tests/resilience/test_replacement.py",
    r"prometheus ": "tests/deployment/watch/processes.py",
    r"promtool ": "tests/deployment/watch/test_promtool.py",
    r"sudo (make -C|cp|systemctl) ": "tests/unit/config/test_systemd.py",
    r"make box": "tests/deployment/rehearsal/conftest.py",
    r"make (dev|image|test-unit)": "tests/docs/test_commands.py",
    r"make rename |git (commit|rm) |cp (-r )?tests/deployment/copy/|mkdir tests/": "tests/deployment/copy/test_copy.py",
}

# A copy of the project that replaces the sum has these no more.
REPLACED = ("tests/docs/sums/", "tests/deployment/copy/")

# These need a registry, a host or an installer that no test reaches.
OUT_OF_REACH = r"brew |docker (pull|image inspect) |kind |sudo git clone |vagrant box add "


@pytest.mark.parametrize("command", commands())
def test_each_command_is_run_by_a_test(command: str) -> None:
    """A command that no test runs does not get onto a page unnoticed."""
    files = [file for beginning, file in RUN_BY.items() if re.match(beginning, command)]
    if re.match(OUT_OF_REACH, command):
        assert [] == files
    else:
        assert 1 == len(files)
        assert files[0].startswith(REPLACED) or (ROOT / files[0]).exists()


@pytest.mark.parametrize("command", commands())
def test_each_file_of_a_command_exists(command: str) -> None:
    """The configuration that a command names is there."""
    paths = re.findall(r"(?<![\w/])config/[\w./-]+\w", command)
    assert [] == [path for path in paths if not (ROOT / path).exists()]


def test_each_make_target_exists() -> None:
    """What the pages say to make is a target of the Makefile, with a line of help."""
    text = "\n".join(page.read_text() for page in PAGES)
    named = set(re.findall(r"(?:`|^\$ (?:.* )?)make (?!config/)([a-z][a-z-]*)", text, re.MULTILINE))
    assert {"run", "test", "dev"} <= named
    assert set() == named - set(re.findall(r"^([a-z-]+):.* ## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    "command",
    [
        "python app/app.py",
        'docker build . -t "flask_app:latest"',
        "docker run -d -p 5000:5000 flask_app:latest",
        "vagrant up",
    ],
)
def test_the_readme_has_the_four_commands(command: str) -> None:
    """The four ways to run the project stand in the README word for word."""
    assert command in (ROOT / "README.md").read_text()
