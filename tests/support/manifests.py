"""The manifests of config/kubernetes."""

from pathlib import Path
from typing import Any

import yaml

from tests.support.paths import ROOT

FOLDER = ROOT / "config" / "kubernetes"
FOLDERS = [FOLDER, FOLDER / "monitoring"]


def read(path: Path) -> Any:
    """Read a YAML file."""
    return yaml.safe_load(path.read_text())


MANIFESTS = {
    name.removesuffix(".yaml"): read(folder / name)
    for folder in FOLDERS
    for name in read(folder / "kustomization.yaml")["resources"]
}
