"""A directory that becomes a layer of the image: copy files into it under their own paths, then make them uniform."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

# Zip files cannot hold an earlier time than 1980-01-01, and some tools take a time of 0 for "unknown".
MODIFIED = 315_532_800


def with_links(path: Path) -> Iterator[Path]:
    """Yield the path and every symbolic link on the way to it.

    Debian's /lib is a link to usr/lib, and python3 one to python3.13: an image without the links has the file, but not
    under the name that programs ask for.
    """
    walked = Path(path.anchor)
    parts = list(path.relative_to(path.anchor).parts)
    while parts:
        part = parts.pop(0)
        if part == "..":
            walked = walked.parent
            continue
        walked /= part
        if walked.is_symlink():
            yield walked
            target = walked.readlink()
            parts = [*target.relative_to(target.anchor).parts, *parts]
            walked = Path(target.anchor) if target.is_absolute() else walked.parent
    yield walked


def copy(files: set[Path], tree: Path) -> None:
    """Copy files and the links that lead to them into the tree."""
    for path in sorted({step for file in files for step in with_links(file)}):
        copied = tree / path.relative_to(path.anchor)
        copied.parent.mkdir(parents=True, exist_ok=True)
        if not copied.is_symlink():
            shutil.copyfile(path, copied, follow_symlinks=False)
            if not path.is_symlink():
                copied.chmod(path.stat().st_mode)


def make_uniform(tree: Path) -> None:
    """Remove from the tree what differs between two builds or two checkouts: umasks and times."""
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
    # Deepest first, so that nothing changes in a directory after its time is set.
    for path in sorted([tree, *tree.rglob("*")], reverse=True):
        os.utime(path, (MODIFIED, MODIFIED), follow_symlinks=False)
