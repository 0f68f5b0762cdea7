"""Everything that a Python program needs to run, and nothing else: the contents of an image FROM scratch.

    python3 closure.py /opt/venv /layers/python /layers/packages

The first tree gets the interpreter of the virtual environment, the standard library and every shared library that
these or the installed packages link to. The second one gets the virtual environment. Python and the dynamic loader
report all paths, so that this program does not depend on any one base image.

The image has only the bytecode of the standard library, as in Python's own embeddable package for Windows. It is half
the size, and the source is wherever the same Python is. Packages keep their source, which a traceback quotes.
"""

import ctypes
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from bytecode import compile_beside, compile_instead
from debian import write_database
from debug_symbols import strip
from tree import MODIFIED, copy, make_uniform

# Modules that a service in a container does not need. A name that is not listed here is in the image.
NOT_FOR_A_SERVICE = {
    "to develop with": {
        *(
            "bdb",
            "compileall",
            "cProfile",
            "doctest",
            "ensurepip",
            "idlelib",
            "lib2to3",
            "modulefinder",
            "pdb",
            "pickletools",
        ),
        *(
            "profile",
            "pstats",
            "pyclbr",
            "pydoc",
            "pydoc_data",
            "tabnanny",
            "trace",
            "unittest",
            "venv",
            "zipapp",
            "_lsprof",
            "_remote_debugging",
        ),
    },
    "a screen, a terminal, a sound card": {
        *(
            "_curses",
            "_curses_panel",
            "_pyrepl",
            "_tkinter",
            "aifc",
            "audioop",
            "cmd",
            "curses",
            "ossaudiodev",
            "readline",
        ),
        *("sndhdr", "sunau", "tkinter", "turtle", "turtledemo", "wave", "webbrowser"),
    },
    "a database in a file, where no file can be written": {"_dbm", "_gdbm", "_sqlite3", "dbm", "sqlite3"},
    "protocols that a JSON service does not speak": {
        *("cgi", "cgitb", "ftplib", "imaplib", "mailbox", "mailcap", "nis", "nntplib", "poplib", "telnetlib", "xmlrpc"),
    },
    "Chinese, Japanese and Korean character sets before Unicode": {
        *("_codecs_cn", "_codecs_hk", "_codecs_iso2022", "_codecs_jp", "_codecs_kr", "_codecs_tw", "_multibytecodec"),
    },
    "the slow twins of modules in C, which are there": {"_pydatetime", "_pydecimal", "_pyio"},
    "CPython's own tests": {
        *("_ctypes_test", "_testbuffer", "_testcapi", "_testclinic", "_testclinic_limited", "_testexternalinspection"),
        *("_testimportmultiple", "_testinternalcapi", "_testlimitedcapi", "_testmultiphase", "_testsinglephase"),
        *("_xxtestfuzz", "xxlimited", "xxlimited_35", "xxsubtype"),
    },
    "installed packages, which have their own layer": {"dist-packages", "site-packages"},
}
DROPPED = frozenset[str]().union(*NOT_FOR_A_SERVICE.values())
# macholib: ctypes on a Mac, with a shell script.
NOT_IN_A_PACKAGE = frozenset({"__pycache__", "idle_test", "macholib", "test", "tests"})
NOT_RUN = frozenset({".c", ".h", ".pxd", ".pyi", ".pyx"})

# glibc loads it by name when a thread calls pthread_exit, and aborts if it is missing. ldd cannot see that.
LOADED_BY_NAME = ("libgcc_s.so.1",)


def is_dropped(relative: Path) -> bool:
    """Tell whether a file of the standard library, given its path in there, stays out of the image."""
    parts = relative.parts[1:] if relative.parts[0] == "lib-dynload" else relative.parts
    name = parts[0].partition(".")[0]
    # config-3.13-x86_64-linux-gnu: the Makefile and the static library for C programs that embed Python.
    return name in DROPPED or name.startswith("config-") or not NOT_IN_A_PACKAGE.isdisjoint(relative.parts)


def standard_library(paths: Iterable[Path]) -> set[Path]:
    """List the files of the standard library that a service may need."""
    return {
        file for path in paths for file in path.rglob("*") if file.is_file() and not is_dropped(file.relative_to(path))
    }


def installed(venv: Path) -> set[Path]:
    """List the files of a virtual environment, without scripts: its packages, its configuration and its interpreter."""
    site = next(venv.glob("lib/python*/site-packages"))
    packages = {
        file
        for file in site.rglob("*")
        if file.is_file() and file.suffix not in NOT_RUN and NOT_IN_A_PACKAGE.isdisjoint(file.relative_to(site).parts)
    }
    return {venv / "pyvenv.cfg", *packages}


def parsed(ldd: str) -> Iterator[Path]:
    """Parse ldd: `libz.so.1 => /lib/libz.so.1 (0x0)`, `/lib/ld-linux.so.2 (0x0)`, `libtk.so => not found`."""
    for line in ldd.splitlines():
        if line.endswith("=> not found"):
            raise FileNotFoundError(line.strip())
        if found := re.search(r"(/\S+) \(0x", line):
            yield Path(found[1])


def shared_libraries(binaries: Iterable[Path]) -> set[Path]:
    """List the shared libraries that the binaries link to, including the dynamic loader."""
    found = {Path(loaded(name)) for name in LOADED_BY_NAME}
    for binary in [*binaries, *found]:
        # Python itself reported the path, and ldd comes from the base image's PATH.
        ldd = subprocess.run(["ldd", binary], capture_output=True, check=False, text=True)  # noqa: S603, S607
        found.update(parsed(ldd.stdout))
    return found


def loaded(name: str) -> str:
    """Find a library with the loader's own search: load it and see where it came from."""
    ctypes.CDLL(name)
    return next(
        line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(f"/{name}")
    )


def search_cache(tree: Path) -> None:
    """Write the loader's cache of the tree, for a base image with libraries in paths that only its ld.so.conf lists."""
    copy({path for path in [Path("/etc/ld.so.conf"), *Path("/etc/ld.so.conf.d").glob("*.conf")] if path.exists()}, tree)
    subprocess.run(["ldconfig", "-X", "-r", tree], check=True)  # noqa: S603, S607
    (tree / "etc/ld.so.conf").unlink(missing_ok=True)
    shutil.rmtree(tree / "etc/ld.so.conf.d", ignore_errors=True)
    shutil.rmtree(tree / "var", ignore_errors=True)


def main(venv: Path, python_tree: Path, packages_tree: Path) -> None:
    """Fill both trees."""
    library = standard_library({Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")})
    packages = installed(venv)
    interpreter = venv / "bin/python"
    binaries = {file for file in library | packages if file.suffix == ".so"} | {interpreter}
    copy(library | shared_libraries(binaries) | {interpreter}, python_tree)
    copy(packages, packages_tree)
    for file in packages_tree.rglob("*.so"):
        strip(file)
    search_cache(python_tree)
    compile_instead(python_tree)
    # Everything from Debian is in this tree: the other one has only files of the virtual environment.
    copy({Path("/etc/os-release")}, python_tree)
    write_database(python_tree)
    compile_beside(packages_tree)
    for tree in (python_tree, packages_tree):
        make_uniform(tree)
    # Programs expect /tmp. A process may write only here, and only if the root is not read-only.
    (python_tree / "tmp").mkdir()
    (python_tree / "tmp").chmod(0o1777)
    os.utime(python_tree / "tmp", (MODIFIED, MODIFIED))
    os.utime(python_tree, (MODIFIED, MODIFIED))


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
