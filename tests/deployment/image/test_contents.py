"""What is in the image, and what is not."""

import tarfile

import pytest

from tests.deployment.image import layers
from tests.support import engine

MEGABYTES_45 = 45_000_000
# Busybox alone would be every one of these.
UNWANTED = {
    *(
        "apk",
        "apt",
        "apt-get",
        "ash",
        "awk",
        "bash",
        "busybox",
        "cc",
        "curl",
        "dash",
        "dpkg",
        "gcc",
        "gdb",
        "ksh",
        "ld",
        "ldd",
    ),
    *(
        "make",
        "nc",
        "node",
        "perl",
        "pip",
        "pip3",
        "rpm",
        "ruby",
        "sh",
        "ssh",
        "strace",
        "su",
        "sudo",
        "tar",
        "toybox",
        "wget",
    ),
}
UNWANTED_PACKAGES = {"ensurepip", "idlelib", "pip", "setuptools", "tkinter", "wheel"}


@pytest.fixture(scope="module")
def entries(image: str) -> dict[str, layers.Entry]:
    """Read the files of the image."""
    return layers.read(image)


def test_size(image: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The image has at most 45 MB."""
    size = layers.size(image)
    with capsys.disabled():
        print(f"\nsize of the image: {size / 1e6:.1f} MB")  # noqa: T201
    assert size <= MEGABYTES_45


def test_only_python_is_executed(entries: dict[str, layers.Entry]) -> None:
    """Of all files that start as an executable does, one is a program: the interpreter. Nothing has a shebang."""
    executable = [entry for entry in entries.values() if entry.kind == b"0" and entry.mode & 0o111]
    programs = [entry.path for entry in executable if ".so" not in entry.path]
    assert [path.rpartition("/")[2].rstrip("0123456789.") for path in programs] == ["python"]
    assert [entry.path for entry in executable if entry.content.startswith(b"#!")] == []


def test_no_tools(entries: dict[str, layers.Entry]) -> None:
    """No shell, no package manager, no compiler, under whatever path."""
    names = {path.rpartition("/")[2] for path, entry in entries.items() if entry.kind != tarfile.DIRTYPE}
    assert names & UNWANTED == set()
    assert {path for path in entries if UNWANTED_PACKAGES & set(path.split("/"))} == set()


def test_owned_by_root(entries: dict[str, layers.Entry]) -> None:
    """The service owns nothing: not even a hole in it may change its own code."""
    assert {entry.owner for entry in entries.values()} == {(0, 0)}


def test_modes(entries: dict[str, layers.Entry]) -> None:
    """No setuid or setgid file, and nothing that every user may write to but /tmp."""
    assert [entry.path for entry in entries.values() if entry.mode & 0o6000] == []
    assert [entry.path for entry in entries.values() if entry.mode & 0o002 and entry.kind != b"2"] == ["/tmp"]  # noqa: S108
    assert oct(entries["/tmp"].mode & 0o7777) == "0o1777"  # noqa: S108


def test_no_secrets(entries: dict[str, layers.Entry], image: str) -> None:
    """No key, password file or version control got in, nor anything of the sort into the history or the environment."""
    names = {path.rpartition("/")[2] for path in entries}
    assert {
        name for name in names if name in {".git", ".env", ".netrc", "id_rsa", "shadow"} or name.endswith(".pem")
    } == set()
    environment = {entry.partition("=")[0] for entry in engine.inspect(image)["Config"]["Env"]}
    assert environment - {"PATH", "REVISION", "TMPDIR"} == set()


def test_only_what_is_admitted(entries: dict[str, layers.Entry]) -> None:
    """Of the repository only the application is in the image: no tests, no documentation."""
    directories = {path.split("/")[2] for path in entries if path.startswith("/srv/")}
    assert directories == {"__pycache__", "app", "gunicorn.conf.py"}


def test_everything_has_bytecode(entries: dict[str, layers.Entry]) -> None:
    """Each source has its bytecode beside it: a read-only container would compile it again at each start."""
    sources = {path for path in entries if path.endswith(".py")}
    compiled = {path.replace("/__pycache__", "").split(".cpython-")[0] for path in entries if "/__pycache__/" in path}
    assert {path for path in sources if path.removesuffix(".py") not in compiled} == set()
