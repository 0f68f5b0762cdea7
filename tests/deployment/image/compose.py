"""Docker Compose, with config/compose.yaml."""

import os
import shutil
import subprocess

import pytest

from tests.support.paths import NAME, ROOT

PROJECT = f"{NAME}_benchmark"
OPTIONS = ("--file", "config/compose.yaml", "--project-name", PROJECT)


def compose(*arguments: str) -> str:
    """Run Compose, by whichever name it is installed."""
    plugin = subprocess.run(["docker", "compose", "version"], check=False, capture_output=True)
    command = ["docker", "compose"] if plugin.returncode == 0 else ["docker-compose"]
    if not shutil.which(command[0]):
        pytest.skip("no Compose: install docker-compose")
    environment = {**os.environ, "COMPOSE_DOCKER_CLI_BUILD": "0"}
    return subprocess.check_output(
        [*command, *OPTIONS, *arguments],
        text=True,
        cwd=ROOT,
        env=environment,
    )
