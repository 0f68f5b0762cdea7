"""The manifests of config/kubernetes as kubectl puts them together. There is no cluster here to take them."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.manifests import FOLDERS, MANIFESTS, read


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_kubectl_builds(folder: Path) -> None:
    """The kustomize in kubectl makes of a folder the files that it lists, with the namespace, and nothing else."""
    if shutil.which("kubectl") is None:
        pytest.skip("apt-get install --no-install-recommends kubernetes-client")
    built = subprocess.run(["kubectl", "kustomize", folder], check=True, capture_output=True, text=True).stdout
    actual = {manifest["kind"]: manifest for manifest in yaml.safe_load_all(built)}
    kustomization = read(folder / "kustomization.yaml")
    expected: dict[str, dict[str, Any]] = {}
    for name in kustomization["resources"]:
        manifest = MANIFESTS[name.removesuffix(".yaml")]
        namespace = {} if manifest["kind"] == "Namespace" else {"namespace": kustomization["namespace"]}
        expected[manifest["kind"]] = manifest | {"metadata": manifest["metadata"] | namespace}
    assert expected == actual
