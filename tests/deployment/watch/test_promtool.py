"""What Prometheus' own checker says about the configuration and the metrics."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deployment.watch.processes import CONFIG, Service

RULES = sorted(str(path) for path in (CONFIG / "rules").iterdir())
CASES = sorted(str(path) for path in (CONFIG / "tests").iterdir())


def complaints(*arguments: str, text: bytes | None = None) -> str:
    """Return what promtool printed, or nothing where it succeeded."""
    done = subprocess.run(arguments, input=text, capture_output=True, check=False)
    return "" if done.returncode == 0 else f"{done.stdout.decode()}{done.stderr.decode()}exit status {done.returncode}"


@pytest.mark.parametrize("targets", ["targets", "targets-compose"])
def test_configuration_is_valid_with_each_list_of_targets(promtool: str, tmp_path: Path, targets: str) -> None:
    """Compose mounts its own folder over `targets`, and Prometheus accepts the result."""
    copy = tmp_path / "prometheus"
    shutil.copytree(CONFIG, copy)
    shutil.rmtree(copy / "targets")
    shutil.copytree(CONFIG / targets, copy / "targets")
    assert complaints(promtool, "check", "config", str(copy / "prometheus.yml")) == ""


def test_configuration_of_the_swarm_is_valid(promtool: str, tmp_path: Path) -> None:
    """The stack has a configuration of its own, with the same rules beside it."""
    shutil.copytree(CONFIG / "rules", tmp_path / "rules")
    shutil.copyfile(CONFIG.parent / "swarm" / "prometheus.yml", tmp_path / "prometheus.yml")
    assert complaints(promtool, "check", "config", str(tmp_path / "prometheus.yml")) == ""


def test_rules_of_kubernetes_are_valid(promtool: str, tmp_path: Path) -> None:
    """What the Prometheus Operator takes out of its manifest is a rule file without a fault."""
    manifest = CONFIG.parent / "kubernetes" / "monitoring" / "prometheusrule.yaml"
    rules = tmp_path / "rules.yml"
    rules.write_text(yaml.safe_dump(yaml.safe_load(manifest.read_text())["spec"]))
    assert complaints(promtool, "check", "rules", "--lint=all", "--lint-fatal", str(rules)) == ""


@pytest.mark.parametrize("rules", RULES, ids=lambda path: Path(path).name)
def test_rules_are_valid(promtool: str, rules: str) -> None:
    """No rule has a fault, and none is there twice."""
    assert complaints(promtool, "check", "rules", "--lint=all", "--lint-fatal", rules) == ""


@pytest.mark.parametrize("rules", RULES, ids=lambda path: Path(path).name)
def test_each_alert_has_a_case(rules: str) -> None:
    """An alert that no case names may never fire."""
    alerts = {line.split()[-1] for line in Path(rules).read_text().splitlines() if "- alert:" in line}
    cases = (CONFIG / "tests" / Path(rules).name).read_text()
    assert {alert for alert in alerts if alert not in cases} == set()


@pytest.mark.parametrize("rules", RULES, ids=lambda path: Path(path).name)
def test_aggregations_name_what_they_drop(rules: str) -> None:
    """`by` would drop a label that is added later, such as a region."""
    assert " by (" not in Path(rules).read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda path: Path(path).name)
def test_rules_fire_and_rest_as_they_should(promtool: str, case: str) -> None:
    """Each alert fires, sleeps through a blip, recovers, and bears little or no traffic."""
    assert complaints(promtool, "test", "rules", case) == ""


def test_metrics_are_valid(promtool: str, service: Service) -> None:
    """Names, units and help texts are as Prometheus wants them."""
    assert complaints(promtool, "check", "metrics", text=service.metrics()) == ""
