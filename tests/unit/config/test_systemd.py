"""The systemd unit: it agrees with the service, and is accepted."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.serving import main, start
from app.settings import Settings
from tests.support.paths import ROOT

UNIT = (ROOT / "config" / "systemd" / "service.service").read_text()


def option(name: str) -> str:
    """Return the value of an option of the unit."""
    (value,) = re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)
    return value


def test_no_restart_after_a_mistake_of_the_operator() -> None:
    """A bad command line and a bad setting do not start it again and again."""
    assert [main.USAGE, start.BAD_SETTING] == [int(status) for status in option("RestartPreventExitStatus").split()]


def test_a_stop_has_the_time_that_it_takes() -> None:
    """The unit is killed after the grace of the default settings, and not before."""
    settings = Settings.from_environ({})
    assert int(option("TimeoutStopSec")) > settings.drain_seconds + settings.graceful_timeout


def test_it_starts_what_make_installs() -> None:
    """The unit runs the program of the checkout with the interpreter of its virtual environment."""
    interpreter, program = option("ExecStart").split()
    assert Path("/opt/flask_app/.venv/bin/python") == Path(interpreter)
    assert (ROOT / Path(program).relative_to("/opt/flask_app")).is_file()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd")
def test_systemd_accepts_it(tmp_path: Path) -> None:
    """The check of systemd-analyze finds nothing to complain about."""
    unit = tmp_path / "flask_app.service"
    unit.write_text(UNIT.replace("/opt/flask_app/.venv/bin/python", sys.executable))
    subprocess.run(["systemd-analyze", "verify", unit], check=True, capture_output=True, text=True)
