"""A bill of materials in CycloneDX JSON: Python, the packages, and the Debian packages that debian.py finds.

    python3 sbom.py --version 1.0.0 /opt/venv /layers/python /layers/packages >sbom.cdx.json

No serial number and no timestamp: the same image has the same bill.
"""

import argparse
import json
import platform
import re
import sys
from collections.abc import Iterable
from hashlib import sha256
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

import debian
from debian import Package

NAME = "flask_app"
LIBRARY = re.compile(r"\.so(\.\d+)*$")

Component = dict[str, Any]


def python() -> Component:
    """Describe the interpreter and its standard library."""
    version = platform.python_version()
    return {
        "type": "platform",
        "bom-ref": "python",
        "name": "python",
        "version": version,
        "purl": f"pkg:generic/python@{version}",
        "cpe": f"cpe:2.3:a:python:python:{version}:*:*:*:*:*:*:*",
    }


def package(distribution: Distribution) -> Component:
    """Describe an installed Python package."""
    name, version = distribution.metadata["Name"], distribution.version
    purl = f"pkg:pypi/{name.lower().replace('_', '-')}@{quote(version)}"
    component: Component = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if "License-Expression" in distribution.metadata:
        component["licenses"] = [{"expression": distribution.metadata["License-Expression"]}]
    return component


def release() -> str:
    """Name the distribution of the base image, as package URLs do: debian-13."""
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        return "unknown"
    return f"{system['ID']}-{system.get('VERSION_ID', 'unknown')}"


def library(package: Package, paths: Iterable[Path]) -> Component:
    """Describe a Debian package that has files in the image."""
    # Debian's advisories name source packages: without `upstream`, a scanner of this bill finds none for libssl3t64.
    qualifiers = f"arch={package.architecture}&distro={release()}&upstream={quote(package.source)}"
    purl = f"pkg:deb/debian/{quote(package.name)}@{quote(package.version, safe='')}?{qualifiers}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "purl": purl,
        "evidence": {"occurrences": [{"location": str(path)} for path in sorted(paths)]},
    }


def stranger(path: Path) -> Component:
    """Describe a shared library that no package owns, by its contents."""
    digest = sha256(path.read_bytes()).hexdigest()
    return {
        "type": "file",
        "bom-ref": str(path),
        "name": str(path),
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }


def bill(version: str, venv: Path, trees: Iterable[Path]) -> dict[str, Any]:
    """Make the whole document."""
    paths = [path for tree in trees for path in debian.files(tree)]
    owner = debian.owners(paths)
    from_debian = [
        library(debian.package(name), [path for path in paths if owner.get(path) == name])
        for name in sorted(set(owner.values()))
    ]
    own = (Path(sys.base_prefix), venv)
    strangers = [
        stranger(path)
        for path in paths
        if path not in owner and LIBRARY.search(path.name) and not any(place in path.parents for place in own)
    ]
    site = next(venv.glob("lib/python*/site-packages"))
    packages = sorted(map(package, distributions(path=[str(site)])), key=lambda component: component["purl"])
    application = {"type": "application", "bom-ref": NAME, "name": NAME, "version": version}
    components = [python(), *packages, *from_debian, *strangers]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": application},
        "components": components,
        "dependencies": [{"ref": NAME, "dependsOn": [component["bom-ref"] for component in components]}],
    }


def main() -> None:
    """Write the bill to standard output."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", required=True)
    parser.add_argument("venv", type=Path)
    parser.add_argument("trees", type=Path, nargs="+")
    options = parser.parse_args()
    json.dump(bill(options.version, options.venv, options.trees), sys.stdout, indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
