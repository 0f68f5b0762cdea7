"""config/image/sbom.py: the bill of materials."""

import platform
from importlib.metadata import distribution
from pathlib import Path

import sbom
from debian import Package


def test_python() -> None:
    """Python is listed with the version that runs."""
    assert sbom.python()["purl"] == f"pkg:generic/python@{platform.python_version()}"


def test_package() -> None:
    """A package has the name and version of its metadata."""
    flask = distribution("flask")
    component = sbom.package(flask)
    assert (component["version"], component["purl"]) == (flask.version, f"pkg:pypi/flask@{flask.version}")


def test_library() -> None:
    """A Debian package names its source package, and everything that a URL could not hold is escaped."""
    zlib = Package("zlib1g", "1:1.3.dfsg+really1.3.1-1", "amd64", "zlib")
    component = sbom.library(zlib, [Path("/usr/lib/libz.so.1.3.1")])
    assert component["purl"].startswith("pkg:deb/debian/zlib1g@1%3A1.3.dfsg%2Breally1.3.1-1?arch=amd64&distro=")
    assert component["purl"].endswith("&upstream=zlib")


def test_a_file_of_no_package_is_listed_by_its_contents(tmp_path: Path) -> None:
    """A library that no package owns is listed all the same."""
    (tmp_path / "libown.so").write_bytes(b"")
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    component = sbom.stranger(tmp_path / "libown.so")
    assert component["hashes"] == [{"alg": "SHA-256", "content": digest}]
