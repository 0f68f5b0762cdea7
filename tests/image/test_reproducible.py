"""Two builds of one commit on one base are the same image, file by file."""

import os
import shutil
from pathlib import Path

import engine
import layers

ADMITTED = (
    "Dockerfile",
    ".dockerignore",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "app",
    "config",
    "docs",
    "gunicorn.conf.py",
    "pyproject.toml",
    "requirements.lock",
    "tests",
)


def other_checkout(place: Path) -> Path:
    """Copy what goes into the image as somebody else would have it: at another time, with another umask."""
    for name in ADMITTED:
        source = engine.REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        elif source.exists():
            shutil.copyfile(source, place / name)
    for path in place.rglob("*"):
        path.chmod(0o775 if path.is_dir() else 0o664)
        os.utime(path, (1e9, 1e9))
    return place


def test_two_builds(tmp_path: Path, image: str) -> None:
    """Names, contents, modes, owners and times agree with a second build, from another checkout and without a cache."""
    engine.build("flask_app:again", "--no-cache", with_buildkit=True, context=other_checkout(tmp_path))
    first, second = layers.read(image), layers.read("flask_app:again")
    assert {path for path in first.keys() | second.keys() if first.get(path) != second.get(path)} == set()
