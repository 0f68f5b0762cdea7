"""The Debian packages that have files in the image, according to the package manager of the base image.

The image has no package manager. It lists its packages as distroless images do: for each package,
/var/lib/dpkg/status.d holds dpkg's status and the MD5 sums of the files. Scanners (syft, grype, trivy) read both.
"""

import subprocess
from collections.abc import Iterable, Iterator
from hashlib import md5
from pathlib import Path
from typing import NamedTuple

DATABASE = Path("var/lib/dpkg/status.d")


class Package(NamedTuple):
    """A package, with the source package that security advisories name."""

    name: str
    version: str
    architecture: str
    source: str


def files(tree: Path) -> Iterator[Path]:
    """List the regular files of a tree by the paths that they will have in the image."""
    for file in sorted(tree.rglob("*")):
        if file.is_file() and not file.is_symlink():
            yield Path("/", file.relative_to(tree))


def installed_as(path: Path) -> set[str]:
    """Return the names under which a package may have installed the file that the image has at a path.

    A package may have installed /usr/lib/libz.so.1 as /lib/libz.so.1, and the bytecode of a module as its source.
    """
    source = str(path.with_suffix(".py") if path.suffix == ".pyc" else path)
    return {source, source.removeprefix("/usr")}


def owners(paths: Iterable[Path]) -> dict[Path, str]:
    """Ask dpkg which of the files it installed, and from which package."""
    names = {name: path for path in paths for name in installed_as(path)}
    # Exit status 1 means that some file belongs to no package, as is usual for Python in the official image.
    answer = subprocess.run(  # noqa: S603
        ["dpkg-query", "--search", *names],  # noqa: S607
        capture_output=True,
        check=False,
        text=True,
    )
    found = (line.rpartition(": ") for line in answer.stdout.splitlines() if not line.startswith("diversion "))
    return {names[path]: packages.split(", ")[0] for packages, _, path in found}


def package(name: str) -> Package:
    """Look up an installed package."""
    fields = "${Package}\n${Version}\n${Architecture}\n${source:Package}"
    query = ["dpkg-query", "--show", f"--showformat={fields}", name]
    return Package(*subprocess.check_output(query, text=True).split("\n"))  # noqa: S603


def md5_sums(tree: Path, paths: Iterable[Path]) -> str:
    """List files of a tree with their sums in md5sum's format; as in dpkg's own lists, paths have no leading slash."""
    relative = [path.relative_to("/") for path in sorted(paths)]
    digests = [md5((tree / path).read_bytes(), usedforsecurity=False).hexdigest() for path in relative]
    return "".join(f"{digest}  {path}\n" for digest, path in zip(digests, relative, strict=True))


def write_database(tree: Path) -> None:
    """Write into a tree the packages that its files come from."""
    owner = owners(files(tree))
    database = tree / DATABASE
    database.mkdir(parents=True)
    for installed in sorted(set(owner.values())):
        name = package(installed).name
        status = subprocess.check_output(["dpkg-query", "--status", installed], text=True)  # noqa: S603, S607
        (database / name).write_text(status)
        owned = [path for path in owner if owner[path] == installed]
        (database / f"{name}.md5sums").write_text(md5_sums(tree, owned))
