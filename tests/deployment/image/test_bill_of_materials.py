"""The bill of materials, against the image that it describes."""

import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.deployment.image import layers
from tests.support.paths import NAME


@pytest.fixture(scope="module")
def entries(image: str) -> dict[str, layers.Entry]:
    """Read the files of the image."""
    return layers.read(image)


@pytest.fixture(scope="module")
def bill(entries: dict[str, layers.Entry]) -> dict[str, Any]:
    """Read the bill of materials where the image keeps it."""
    document: dict[str, Any] = json.loads(entries[f"/usr/share/sbom/{NAME}.cdx.json"].content)
    return document


def test_valid(bill: dict[str, Any]) -> None:
    """It is valid CycloneDX."""
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None


def test_python_is_listed(bill: dict[str, Any]) -> None:
    """Python is there by the name that vulnerability databases use."""
    assert [
        item["name"] for item in bill["components"] if item.get("cpe", "").startswith("cpe:2.3:a:python:python:3.")
    ] == [
        "python",
    ]


def test_every_package_is_listed(bill: dict[str, Any], entries: dict[str, layers.Entry]) -> None:
    """It lists exactly the packages that are installed, with their versions."""
    folders = {Path(path).parent.name for path in entries if path.endswith(".dist-info/METADATA")}
    installed = {
        tuple(folder.removesuffix(".dist-info").lower().replace("_", "-").rsplit("-", 1)) for folder in folders
    }
    listed = {
        (item["name"].lower().replace("_", "-"), item["version"])
        for item in bill["components"]
        if item.get("purl", "").startswith("pkg:pypi/")
    }
    assert listed == installed


def test_every_shared_library_is_listed(bill: dict[str, Any], entries: dict[str, layers.Entry]) -> None:
    """Each shared library outside of Python's and the packages' own folders is listed with where it came from."""
    located = {
        place["location"] for item in bill["components"] for place in item.get("evidence", {}).get("occurrences", ())
    }
    located |= {item["name"] for item in bill["components"] if item["type"] == "file"}
    libraries = {
        path for path, entry in entries.items() if ".so" in path and entry.kind == b"0" and path.startswith("/usr/lib/")
    }
    assert libraries - located - {path for path in libraries if "/python3." in path} == set()
