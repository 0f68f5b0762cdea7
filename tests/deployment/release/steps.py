"""The steps of a release, as the workflow takes them."""

import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.deployment.release import machine
from tests.support.paths import ROOT

# A throw-away key, and no transparency log: a rehearsal leaves no trace in the world.
SIGN = ("--tlog-upload=false", "--use-signing-config=false", *machine.PLAIN)
VERIFY = ("--insecure-ignore-tlog", *machine.PLAIN)


class Release(NamedTuple):
    """What a release has left behind."""

    folder: Path
    image: str
    key: Path

    def digest(self, platform: str = "") -> str:
        """Read the digest of the index, or of the image for a platform such as linux-arm64."""
        return (self.folder / platform / "digest").read_text()

    def name(self, platform: str = "") -> str:
        """Name the image as those do who pull it by its digest."""
        return f"{self.image}@{self.digest(platform)}"


def run(*command: str | Path, folder: Path = ROOT) -> str:
    """Run a command, and return what it prints on both outputs; CalledProcessError where it fails."""
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout)  # noqa: T201 - pytest shows it with -s, and where a test fails
    return done.stdout


def build(repository: Path, folder: Path, registry: str) -> None:
    """Build a release as the workflow does, on the base image of the registry."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHON_IMAGE", f"{registry}/library/python:base")
        run(repository / "config/release/build.sh", folder, "--no-cache", folder=repository)
