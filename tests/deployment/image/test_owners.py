"""Every file of the image has an owner: a Debian package, a wheel, CPython, or this project."""

import csv
import hashlib
import re
import tarfile
from pathlib import PurePosixPath

import pytest

from tests.deployment.image import layers
from tests.support.paths import NAME

STATUS = "/var/lib/dpkg/status.d/"
SITE = re.compile(r"(/opt/venv/lib/python3\.\d+/site-packages)/")
CPYTHON = re.compile(r"/usr/local/(bin/python3\.\d+|lib/libpython3[.\w]*|lib/python3\.\d+/.+)")
# What the build makes: the environment, the cache of the loader, the bill of materials and Debian's part of it.
MADE = re.compile(rf"/srv/.+|/opt/venv/pyvenv\.cfg|/etc/ld\.so\.cache|/usr/share/sbom/{NAME}\.cdx\.json|{STATUS}.+")


@pytest.fixture(scope="module")
def entries(image: str) -> dict[str, layers.Entry]:
    """Read the regular files of the image."""
    return {path: entry for path, entry in layers.read(image).items() if entry.kind == tarfile.REGTYPE}


@pytest.fixture(scope="module")
def debian(entries: dict[str, layers.Entry]) -> dict[str, str]:
    """Read which files Debian's packages have here, with their sums."""
    lists = [
        entry.content.decode()
        for path, entry in entries.items()
        if path.startswith(STATUS) and path.endswith(".md5sums")
    ]
    lines = [line.split("  ", 1) for text in lists for line in text.splitlines()]
    return {f"/{path}": digest for digest, path in lines}


@pytest.fixture(scope="module")
def wheels(entries: dict[str, layers.Entry]) -> set[str]:
    """Read which files the wheels have installed."""
    recorded = set()
    for path, entry in entries.items():
        if path.endswith(".dist-info/RECORD"):
            site = PurePosixPath(path).parent.parent
            recorded |= {str(site / row[0]) for row in csv.reader(entry.content.decode().splitlines())}
    return recorded


def source(path: str) -> str:
    """Name the source of bytecode that stands beside it; another file is its own source."""
    return re.sub(r"/__pycache__/([^/]+)\.cpython-\d+\.pyc$", r"/\1.py", path)


def test_every_file_has_one_owner(entries: dict[str, layers.Entry], debian: dict[str, str], wheels: set[str]) -> None:
    """No file is left over, and no two claim the same one."""
    owners = {
        path: [
            owner
            for owner, owns in {
                "Debian": path in debian,
                "a wheel": source(path) in wheels,
                "CPython": CPYTHON.fullmatch(path) is not None,
                "the project": MADE.fullmatch(path) is not None,
            }.items()
            if owns
        ]
        for path in entries
    }
    assert {} == {path: found for path, found in owners.items() if len(found) != 1}


def test_debian_lists_only_what_is_there(entries: dict[str, layers.Entry], debian: dict[str, str]) -> None:
    """Each file that a package claims is in the image, with that sum."""
    sums = {path: hashlib.md5(entries[path].content, usedforsecurity=False).hexdigest() for path in debian}
    assert debian == sums


def test_debian_lists_only_packages_with_files(entries: dict[str, layers.Entry]) -> None:
    """A package has its status and its sums, and of each there is at least one file."""
    names = {path.removeprefix(STATUS) for path in entries if path.startswith(STATUS)}
    packages = {name for name in names if not name.endswith(".md5sums")}
    assert {f"{name}.md5sums" for name in packages} == names - packages
    assert [] == [name for name in packages if not entries[f"{STATUS}{name}.md5sums"].content]
    assert [] == [name for name in packages if f"Package: {name}\n" not in entries[f"{STATUS}{name}"].content.decode()]
