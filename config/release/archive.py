"""An OCI archive: the output of `docker buildx build --output type=oci`, which push.sh pushes unchanged."""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple


class Image(NamedTuple):
    """The image for one platform."""

    platform: str
    digest: str


class Archive:
    """The images of an archive, and the files in them."""

    def __init__(self, path: Path) -> None:
        """Read an archive with one index of one image per platform."""
        self._tar = tarfile.open(fileobj=io.BytesIO(path.read_bytes()))  # noqa: SIM115 - nothing to close in memory
        (descriptor,) = json.loads(self._content("index.json"))["manifests"]
        self.digest: str = descriptor["digest"]

    def images(self) -> Iterator[Image]:
        """List the images."""
        for descriptor in self._blob(self.digest)["manifests"]:
            platform = descriptor["platform"]
            yield Image(f"{platform['os']}/{platform['architecture']}", descriptor["digest"])

    def read(self, image: Image, path: str) -> bytes:
        """Read a file of an image from the last layer that has it; FileNotFoundError if none has."""
        for layer in reversed(self._blob(image.digest)["layers"]):
            content = self._content(place(layer["digest"]))
            with tarfile.open(fileobj=io.BytesIO(content)) as files:
                if path in files.getnames() and (file := files.extractfile(path)):
                    return file.read()
        raise FileNotFoundError(path)

    def _blob(self, digest: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self._content(place(digest)))
        return document

    def _content(self, name: str) -> bytes:
        file = self._tar.extractfile(name)
        if file is None:
            raise FileNotFoundError(name)
        return file.read()


def place(digest: str) -> str:
    """Name the file of a blob."""
    return f"blobs/{digest.replace(':', '/')}"
