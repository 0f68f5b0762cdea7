"""What a scanner sees in the image: syft, on whose list grype looks up weaknesses."""

import json
import subprocess
from typing import Any

import pytest

from tests.deployment.image import layers
from tests.support import engine
from tests.support.paths import NAME
from tests.support.programs import installed

Listed = set[tuple[str, str, str]]


@pytest.fixture(scope="module")
def report(image: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Let syft look at the image, and print its table."""
    folder = tmp_path_factory.mktemp("scanner")
    saved, table, found = folder / "image.tar", folder / "table", folder / "found.json"
    engine.run("save", "--output", saved, image)
    command = [installed("syft"), "scan", f"docker-archive:{saved}", "--quiet"]
    subprocess.run([*command, "--output", f"syft-json={found}", "--output", f"table={table}"], check=True)
    print(table.read_text())  # noqa: T201 - pytest shows it with -s
    document: dict[str, Any] = json.loads(found.read_text())
    return document


@pytest.fixture(scope="module")
def seen(report: dict[str, Any]) -> Listed:
    """Read what syft has found."""
    return {(item["type"], item["name"], item["version"]) for item in report["artifacts"]}


@pytest.fixture(scope="module")
def billed(image: str) -> Listed:
    """Read the bill of materials, with each thing under syft's type for it."""
    bill = json.loads(layers.read(image)[f"/usr/share/sbom/{NAME}.cdx.json"].content)
    types = {"pkg:deb": "deb", "pkg:pypi": "python", "pkg:generic": "binary"}
    return {
        (types[item["purl"].partition("/")[0]], item["name"].lower().replace("_", "-"), item["version"])
        for item in bill["components"]
    }


def test_scanner_sees_what_the_bill_lists(seen: Listed, billed: Listed) -> None:
    """Package by package and version by version: nothing is missing, and nothing is invented."""
    assert billed == seen


def test_scanner_sees_the_libraries(seen: Listed) -> None:
    """Those whose weaknesses would hurt most are on both lists."""
    assert {"libc6", "libgcc-s1", "libssl3t64", "zlib1g"} <= {name for kind, name, _ in seen if kind == "deb"}


def test_scanner_knows_the_release(report: dict[str, Any]) -> None:
    """A version is looked up among the advisories of the right release of Debian."""
    assert ("debian", "13") == (report["distro"]["id"], report["distro"]["versionID"])
