"""config/release: what a release says of itself."""

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

import evidence
import notes
from archive import Archive, Image
from tests.support.paths import ROOT

CHANGELOG = """\
# Changelog

## [Unreleased]

## [1.10.0] - 2026-11-26

### Added

- A page.

## [1.1.0] - 2026-10-01

- Older.

[1.1.0]: https://example.com/1.1.0
"""


@pytest.mark.parametrize(("version", "text"), [("1.10.0", "### Added\n\n- A page."), ("1.1.0", "- Older.")])
def test_notes_are_the_section_of_the_version(version: str, text: str) -> None:
    """The text of a release is what the change log says of it, without the heading and without links."""
    assert text == notes.section(CHANGELOG, version)


@pytest.mark.parametrize("version", ["1.0.0", "1.1", "Unreleased"])
def test_a_release_without_notes_is_refused(version: str) -> None:
    """A version that the change log does not know, or of which it says nothing, is not released."""
    with pytest.raises(LookupError):
        notes.section(CHANGELOG, version)


def tarball(files: dict[str, bytes]) -> bytes:
    """Make a tar archive."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return written.getvalue()


def test_archive(tmp_path: Path) -> None:
    """An archive tells its digest and platforms, and reads a file from the topmost layer of an image that has it."""
    blobs: dict[str, bytes] = {}

    def blob(content: bytes | dict[str, Any]) -> str:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return f"sha256:{digest}"

    layers = [blob(tarball(files)) for files in ({"a": b"below"}, {"a": b"above"}, {"b": b"other"})]
    image = blob({"layers": [{"digest": layer} for layer in layers]})
    index = blob({"manifests": [{"digest": image, "platform": {"os": "linux", "architecture": "arm64"}}]})
    blobs["index.json"] = json.dumps({"manifests": [{"digest": index}]}).encode()
    (tmp_path / "image.tar").write_bytes(tarball(blobs))
    archive = Archive(tmp_path / "image.tar")
    assert (index, [Image("linux/arm64", image)]) == (archive.digest, list(archive.images()))
    assert b"above" == archive.read(Image("linux/arm64", image), "a")
    with pytest.raises(FileNotFoundError):
        archive.read(Image("linux/arm64", image), "c")


GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REF": "refs/tags/v1.2.3",
    "GITHUB_REPOSITORY": "someone/flask_app",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_WORKFLOW_REF": "someone/flask_app/.github/workflows/release.yml@refs/tags/v1.2.3",
}


@pytest.mark.parametrize(
    ("environ", "builder", "source"),
    [
        ({}, "urn:local", {}),
        (
            GITHUB,
            "https://github.com/someone/flask_app/.github/workflows/release.yml@refs/tags/v1.2.3",
            {"uri": "git+https://github.com/someone/flask_app@refs/tags/v1.2.3"},
        ),
    ],
)
def test_provenance_names_builder_and_commit(environ: dict[str, str], builder: str, source: dict[str, str]) -> None:
    """What BuildKit knows is kept; the builder and the source are what the workflow says."""
    invocation = {"configSource": {}, "parameters": {"args": {"build-arg:REVISION": "0123abc"}}}
    predicate = evidence.completed({"builder": {"id": ""}, "invocation": invocation, "materials": []}, environ)
    assert {"id": builder} == predicate["builder"]
    expected = {"entryPoint": "Dockerfile", **source, "digest": {"sha1": "0123abc"}}
    assert expected == predicate["invocation"]["configSource"]
    assert invocation["parameters"] == predicate["invocation"]["parameters"]


def test_a_tag_of_another_version_is_refused(tmp_path: Path) -> None:
    """A tag that does not fit the version in the code builds nothing."""
    environ = {"PATH": "/usr/bin:/bin", "GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v0.0.0"}
    command = [ROOT / "config/release/build.sh", tmp_path / "release"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environ)
    assert 1 == done.returncode
    assert done.stderr.startswith("release failed: the tag is v0.0.0, but app/version.py says ")
