"""config/image/debian.py: the packages of Debian of which files are in the image."""

from pathlib import Path

import pytest

import debian


def test_files_are_named_as_in_the_image(tmp_path: Path) -> None:
    """A tree is listed by the paths that its files will have; links are no files."""
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/libz.so.1.3").touch()
    (tmp_path / "usr/lib/libz.so.1").symlink_to("libz.so.1.3")
    assert list(debian.files(tmp_path)) == [Path("/usr/lib/libz.so.1.3")]


def test_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package is found under the name with /usr and the one without it, and as a source; diversions are none."""
    answer = (
        "diversion by dash from: /bin/sh\n"
        "libc6:amd64: /lib/x86_64-linux-gnu/libc.so.6\n"
        "libz1:amd64, libz2:amd64: /usr/lib/x86_64-linux-gnu/libz.so.1.3\n"
        "libpython3-stdlib:amd64: /usr/lib/python3.13/os.py\n"
    )
    monkeypatch.setattr(debian.subprocess, "run", lambda *_, **__: type("Done", (), {"stdout": answer}))
    libc, libz = Path("/usr/lib/x86_64-linux-gnu/libc.so.6"), Path("/usr/lib/x86_64-linux-gnu/libz.so.1.3")
    module = Path("/usr/lib/python3.13/os.pyc")
    expected = {libc: "libc6:amd64", libz: "libz1:amd64", module: "libpython3-stdlib:amd64"}
    assert expected == debian.owners([libc, libz, module, Path("/usr/local/bin/python3.13")])


def test_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each package has a file with what dpkg knows of it, and one with the sums of its files that are there."""
    library = tmp_path / "usr/lib/libz.so.1.3"
    library.parent.mkdir(parents=True)
    library.write_bytes(b"zlib")
    status = "Package: zlib1g\nStatus: install ok installed\n"
    monkeypatch.setattr(debian, "owners", lambda paths: dict.fromkeys(paths, "zlib1g:amd64"))
    monkeypatch.setattr(debian, "package", lambda _: debian.Package("zlib1g", "1.3", "amd64", "zlib"))
    monkeypatch.setattr(debian.subprocess, "check_output", lambda *_, **__: status)
    debian.write_database(tmp_path)
    database = tmp_path / "var/lib/dpkg/status.d"
    expected = {"zlib1g": status, "zlib1g.md5sums": "7a990d405d2c6fb93aa8fbb0ec1a3b23  usr/lib/libz.so.1.3\n"}
    assert expected == {file.name: file.read_text() for file in database.iterdir()}
