"""Print prometheusrule.yaml: the rules of config/prometheus/rules/, in the form that the Prometheus Operator takes.

kustomize generates ConfigMaps and Secrets from files but no other kind, and reads no file outside its own folder.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

RULES = Path(__file__).resolve().parents[2] / "prometheus" / "rules"

HEAD = """\
# Made by `make config/kubernetes/monitoring/prometheusrule.yaml` from config/prometheus/rules/. Edit those.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: flask-app
  labels:
    app.kubernetes.io/name: flask_app
spec:
  groups:
"""
GROUPS = "groups:\n"


def manifest(files: Iterable[Path]) -> str:
    """Join the groups of some rule files, each file with the comment at its top."""
    return HEAD + "".join(_indent(file.read_text().replace(GROUPS, "", 1)) for file in files)


def _indent(text: str) -> str:
    # Copy lines, not parsed YAML: the comments give the reasons, and readers of the manifest want them, too.
    return "".join(f"  {line}" if line.strip() else line for line in text.splitlines(keepends=True))


if __name__ == "__main__":
    sys.stdout.write(manifest(sorted(RULES.glob("*.yml"))))
