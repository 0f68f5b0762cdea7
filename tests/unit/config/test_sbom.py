"""config/image/sbom.py: the bill of materials."""

import platform
from importlib.metadata import distribution
from pathlib import Path

import pytest

import sbom


def test_python() -> None:
    """Python is listed with the version that runs."""
    assert sbom.python()["purl"] == f"pkg:generic/python@{platform.python_version()}"


def test_package() -> None:
    """A package has the name and version of its metadata."""
    flask = distribution("flask")
    component = sbom.package(flask)
    assert (component["version"], component["purl"]) == (flask.version, f"pkg:pypi/flask@{flask.version}")


def test_files_are_named_as_in_the_image(tmp_path: Path) -> None:
    """A tree is listed by the paths that its files will have; links are no files."""
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/libz.so.1.3").touch()
    (tmp_path / "usr/lib/libz.so.1").symlink_to("libz.so.1.3")
    assert list(sbom.files(tmp_path)) == [Path("/usr/lib/libz.so.1.3")]


def test_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package is found under the name with /usr and the one without it, and diversions are none."""
    answer = (
        "diversion by dash from: /bin/sh\n"
        "libc6:amd64: /lib/x86_64-linux-gnu/libc.so.6\n"
        "libz1:amd64, libz2:amd64: /usr/lib/x86_64-linux-gnu/libz.so.1.3\n"
    )
    monkeypatch.setattr(sbom.subprocess, "run", lambda *_, **__: type("Done", (), {"stdout": answer}))
    libc, libz = Path("/usr/lib/x86_64-linux-gnu/libc.so.6"), Path("/usr/lib/x86_64-linux-gnu/libz.so.1.3")
    assert sbom.owners([libc, libz, Path("/usr/local/bin/python3.13")]) == {libc: "libc6:amd64", libz: "libz1:amd64"}


def test_a_file_of_no_package_is_listed_by_its_contents(tmp_path: Path) -> None:
    """A library that no package owns is listed all the same."""
    (tmp_path / "libown.so").write_bytes(b"")
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    component = sbom.stranger(tmp_path / "libown.so")
    assert component["hashes"] == [{"alg": "SHA-256", "content": digest}]
