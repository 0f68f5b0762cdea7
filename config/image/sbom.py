"""A bill of materials in CycloneDX JSON: Python, the packages, and each file that came from a Debian package.

    python3 sbom.py --version 1.0.0 /opt/venv /layers/python /layers/packages >sbom.cdx.json

No serial number and no time of making: the same image has the same bill.
"""

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator
from hashlib import sha256
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

NAME = "flask_app"

Component = dict[str, Any]


def files(tree: Path) -> Iterator[Path]:
    """List the regular files of a tree by the paths that they will have in the image."""
    for file in sorted(tree.rglob("*")):
        if file.is_file() and not file.is_symlink():
            yield Path("/", file.relative_to(tree))


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


def owners(paths: Iterable[Path]) -> dict[Path, str]:
    """Ask Debian's package manager which of the files it installed, and with which package.

    A package may have installed as /lib/libz.so.1 what is found as /usr/lib/libz.so.1, so it is asked for both.
    """
    names = {str(path): path for path in paths} | {
        str(path).removeprefix("/usr"): path for path in paths if str(path).startswith("/usr/")
    }
    # Exit status 1 says that some file belongs to no package, which is the rule for Python in the official image.
    answer = subprocess.run(  # noqa: S603
        ["dpkg-query", "--search", *names],  # noqa: S607
        capture_output=True,
        check=False,
        text=True,
    )
    found = (line.rpartition(": ") for line in answer.stdout.splitlines() if not line.startswith("diversion "))
    return {names[path]: packages.split(", ")[0] for packages, _, path in found}


def release() -> str:
    """Name the distribution of the base image, as package URLs do: debian-13."""
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        return "unknown"
    return f"{system['ID']}-{system.get('VERSION_ID', 'unknown')}"


def debian(package_name: str, paths: Iterable[Path]) -> Component:
    """Describe a Debian package of which files are in the image."""
    fields = "${Package}\n${Version}\n${Architecture}"
    query = ["dpkg-query", "--show", f"--showformat={fields}", package_name]
    name, version, architecture = subprocess.check_output(query, text=True).split("\n")  # noqa: S603
    purl = f"pkg:deb/debian/{quote(name)}@{quote(version, safe='')}?arch={architecture}&distro={release()}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
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
    paths = [path for tree in trees for path in files(tree)]
    owner = owners(paths)
    from_debian = [
        debian(name, [path for path in paths if owner.get(path) == name]) for name in sorted(set(owner.values()))
    ]
    own = (Path(sys.base_prefix), venv)
    strangers = [
        stranger(path)
        for path in paths
        if path not in owner and ".so" in path.name and not any(place in path.parents for place in own)
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
