"""The files of an image as its layers hold them, without what a running container adds."""

import io
import json
import subprocess
import tarfile
from typing import NamedTuple


class Entry(NamedTuple):
    """One file of the image: what two builds must have in common."""

    path: str
    kind: bytes
    mode: int
    owner: tuple[int, int]
    modified: float
    content: bytes
    target: str


def read(image: str) -> dict[str, Entry]:
    """Read all layers of the image, the later over the earlier."""
    saved = io.BytesIO(subprocess.check_output(["docker", "save", image]))
    entries: dict[str, Entry] = {}
    with tarfile.open(fileobj=saved) as archive:
        for layer in json.load(member(archive, "manifest.json"))[0]["Layers"]:
            with tarfile.open(fileobj=member(archive, layer)) as files:
                for file in files:
                    path = f"/{file.name.removeprefix('./').rstrip('/')}"
                    content = files.extractfile(file) if file.isfile() else None
                    entries[path] = Entry(
                        path,
                        file.type,
                        file.mode,
                        (file.uid, file.gid),
                        file.mtime,
                        content.read() if content else b"",
                        file.linkname,
                    )
    return entries


def size(image: str) -> int:
    """Add up the bytes of the files; engines differ in whether they tell this size, the compressed one, or the sum."""
    return sum(len(entry.content) for entry in read(image).values())


def member(archive: tarfile.TarFile, name: str) -> io.BufferedReader:
    """Open one file of an archive."""
    file = archive.extractfile(name)
    if file is None:
        raise FileNotFoundError(name)
    return io.BufferedReader(file)  # type: ignore[arg-type]
