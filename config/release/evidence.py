"""The attestations of each image of a release: its bill of materials, and where and from what it was built.

    python3 evidence.py build/release

reads image.tar and metadata.json, which buildx wrote there. It writes `digest`, the digest of the index, and for each
platform a folder such as linux-amd64 with `digest`, sbom.json (CycloneDX) and provenance.json (SLSA 0.2).

BuildKit could put the provenance into the index itself. But it contains times, so no two builds would have the same
digest.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archive import Archive

SBOM = "usr/share/sbom/flask_app.cdx.json"
PROVENANCE = "https://slsa.dev/provenance/v0.2"


def recorded(build: str, platform: str) -> dict[str, Any]:
    """Ask BuildKit for the provenance of one of its builds."""
    command = [
        "docker",
        "buildx",
        "history",
        "inspect",
        "attachment",
        build,
        "--platform",
        platform,
        "--type",
        PROVENANCE,
    ]
    predicate: dict[str, Any] = json.loads(subprocess.check_output(command))  # noqa: S603
    return predicate


def completed(predicate: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Add the builder and the commit: BuildKit got only a folder and knows neither."""
    source = {"entryPoint": "Dockerfile"}
    builder = "urn:local"
    if "GITHUB_ACTIONS" in environ:
        server = environ["GITHUB_SERVER_URL"]
        builder = f"{server}/{environ['GITHUB_WORKFLOW_REF']}"
        source["uri"] = f"git+{server}/{environ['GITHUB_REPOSITORY']}@{environ['GITHUB_REF']}"
    revision = predicate["invocation"]["parameters"]["args"]["build-arg:REVISION"]
    invocation = {**predicate["invocation"], "configSource": {**source, "digest": {"sha1": revision}}}
    return {**predicate, "builder": {"id": builder}, "invocation": invocation}


def main(folder: Path) -> None:
    """Write the evidence."""
    archive = Archive(folder / "image.tar")
    build = json.loads((folder / "metadata.json").read_text())["buildx.build.ref"].rpartition("/")[2]
    (folder / "digest").write_text(archive.digest)
    for image in archive.images():
        place = folder / image.platform.replace("/", "-")
        place.mkdir(exist_ok=True)
        (place / "digest").write_text(image.digest)
        (place / "sbom.json").write_bytes(archive.read(image, SBOM))
        provenance = completed(recorded(build, image.platform), os.environ)
        (place / "provenance.json").write_text(json.dumps(provenance, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
