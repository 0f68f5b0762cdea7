"""The settings of the Vagrantfile, as far as no machine is needed."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT


def validate(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Let Vagrant read the file, with nothing of this user's own."""
    ours = {"PORT", "METRICS_PORT", "PROMETHEUS", "BOX", "BOX_URL", "BOX_SHA256"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        ["vagrant", "--no-tty", "validate", "--ignore-provider"],
        cwd=ROOT,
        env=kept | {"VAGRANT_HOME": str(folder / "home"), "VAGRANT_DOTFILE_PATH": str(folder / "dot")} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "environment",
    [
        {},
        dict.fromkeys(("PORT", "METRICS_PORT", "PROMETHEUS", "BOX", "BOX_URL", "BOX_SHA256"), ""),
        {"PORT": "65535", "METRICS_PORT": "1", "PROMETHEUS": "1"},
        # Prometheus' own port is free where there is none.
        {"PORT": "9090", "PROMETHEUS": "0"},
        {"PORT": "9090", "PROMETHEUS": ""},
    ],
)
def test_accepted(tmp_path: Path, environment: dict[str, str]) -> None:
    """An empty variable counts as unset, and PROMETHEUS=0 as no Prometheus."""
    run = validate(tmp_path, **environment)
    assert (0, "") == (run.returncode, run.stderr)


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"PORT": "abc"}, 'PORT is "abc", but must be a whole number from 1 to 65535'),
        ({"PORT": "5_000"}, 'PORT is "5_000", but must be a whole number from 1 to 65535'),
        ({"METRICS_PORT": "0"}, 'METRICS_PORT is "0", but must be a whole number from 1 to 65535'),
        ({"METRICS_PORT": "65536"}, 'METRICS_PORT is "65536", but must be a whole number from 1 to 65535'),
        ({"PROMETHEUS": "yes"}, 'PROMETHEUS is "yes", but must be 0 or 1'),
        (
            {"PORT": "9090", "PROMETHEUS": "1"},
            "PORT, METRICS_PORT and, where PROMETHEUS is 1, 9090 must differ, but are 9090, 9464, 9090",
        ),
    ],
)
def test_rejected(tmp_path: Path, environment: dict[str, str], line: str) -> None:
    """A bad value ends in one line that names it and what is accepted, and not in a traceback of Ruby's."""
    run = validate(tmp_path, **environment)
    assert (1, f"{line}\n") == (run.returncode, run.stderr)
