"""config/image/closure.py: what is needed, by what Python and the loader say."""

import sys
import sysconfig
from pathlib import Path

import pytest

import closure

LDD = """\
\tlinux-vdso.so.1 (0x00007ffd5a5f0000)
\tlibpython3.13.so.1.0 => /usr/local/bin/../lib/libpython3.13.so.1.0 (0x00007f6a00000000)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f6a00200000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f6a00400000)
"""


def test_parsed() -> None:
    """Ldd names libraries with an arrow, and the loader without one; what has no path is the kernel's own."""
    expected = [
        Path("/usr/local/bin/../lib/libpython3.13.so.1.0"),
        Path("/lib/x86_64-linux-gnu/libc.so.6"),
        Path("/lib64/ld-linux-x86-64.so.2"),
    ]
    assert list(closure.parsed(LDD)) == expected


def test_a_missing_library_ends_the_build() -> None:
    """A library that is not there is an error now, not when the container starts."""
    with pytest.raises(FileNotFoundError, match=r"libtk8\.6\.so"):
        list(closure.parsed("\tlibtk8.6.so => not found\n"))


@pytest.mark.parametrize(
    ("path", "dropped"),
    [
        ("json/__init__.py", False),
        ("json/tests/test_dump.py", True),
        ("test/support/__init__.py", True),
        ("idlelib/run.py", True),
        ("lib-dynload/_ssl.cpython-313-x86_64-linux-gnu.so", False),
        ("lib-dynload/_tkinter.cpython-313-x86_64-linux-gnu.so", True),
        ("config-3.13-x86_64-linux-gnu/Makefile", True),
        ("site-packages/pip/__main__.py", True),
        ("__pycache__/os.cpython-313.pyc", True),
        ("testing.py", False),
    ],
)
def test_is_dropped(path: str, dropped: bool) -> None:
    """What a service cannot use stays out, by the name of the module; names that only resemble it stay in."""
    assert closure.is_dropped(Path(path)) == dropped


def test_standard_library() -> None:
    """Of this very Python's library it lists what every program needs, and no tests."""
    folder = Path(sysconfig.get_path("stdlib"))
    files = closure.standard_library({folder})
    assert {folder / "os.py", folder / "encodings/utf_8.py", folder / "json/decoder.py"} <= files
    assert {file for file in files if "test" in file.relative_to(folder).parts} == set()


def test_shared_libraries() -> None:
    """For this very Python the loader's libraries are found, and the one that no program links to."""
    if not sys.platform.startswith("linux"):
        pytest.skip("glibc's ldd: run it on Linux")
    names = {path.name for path in closure.shared_libraries([Path(sys.executable)])}
    assert {"libc.so.6", "libgcc_s.so.1"} <= names
    assert [name for name in names if name.startswith("ld-linux")] != []
