"""The Dockerfile before it is built."""

import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from tests.deployment.image import layers
from tests.support import engine
from tests.support.paths import NAME, ROOT
from tests.support.programs import installed

DOCKERFILE = ROOT / "Dockerfile"


def test_hadolint() -> None:
    """Hadolint finds nothing, and no rule of it is switched off."""
    command = [installed("hadolint"), "--no-color", DOCKERFILE]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0)
    assert "hadolint" not in DOCKERFILE.read_text()
    assert list(ROOT.glob(".hadolint.y*ml")) == []


def test_one_base() -> None:
    """All stages begin at the one base, at another stage or at nothing; the last one at nothing."""
    text = DOCKERFILE.read_text()
    stages = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    names = re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE)
    assert set(stages) - set(names) == {"${PYTHON_IMAGE}", "scratch"}
    assert stages[-1] == "scratch"
    assert len(re.findall(r"^ARG PYTHON_IMAGE=python:3\.\d+-slim-trixie$", text, re.MULTILINE)) == 1


def test_context_admits_by_name(tmp_path: Path) -> None:
    """Secrets and leftovers that lie in the working tree do not reach the engine."""
    for name in (".env", ".git/config", "notes.txt", "app/app.py", "app/__pycache__/app.pyc", "tests/test_x.py"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("secret")
    shutil.copy(ROOT / ".dockerignore", tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    engine.run("build", "--tag", f"{NAME}:context", tmp_path)
    files = {path for path, entry in layers.read(f"{NAME}:context").items() if entry.kind == tarfile.REGTYPE}
    assert {"/Dockerfile", "/app/app.py", "/tests/test_x.py"} == files
