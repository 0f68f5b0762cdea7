"""A checkout as another person would have it."""

import os
import shutil
from pathlib import Path

from tests.support.paths import ROOT

ADMITTED = (
    "Dockerfile",
    ".dockerignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "Vagrantfile",
    "app",
    "config",
    "docs",
    "gunicorn.conf.py",
    "pyproject.toml",
    "requirements.lock",
    "requirements-otel.lock",
    "tests",
)


def other_checkout(place: Path) -> Path:
    """Copy what goes into the image as another person would have it: at another time, with another umask."""
    for name in ADMITTED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        elif source.exists():
            shutil.copyfile(source, place / name)
    for path in place.rglob("*"):
        path.chmod(0o775 if path.is_dir() else 0o664)
        os.utime(path, (1e9, 1e9))
    return place
