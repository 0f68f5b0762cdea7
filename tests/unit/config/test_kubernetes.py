"""The manifests in config/kubernetes: valid, and true to the image, the settings, the contract and Compose."""

import json
import re
from pathlib import Path

import pytest
from kubernetes_validate.utils import all_versions, validate

from app.settings import Settings
from app.version import __version__
from prometheusrule import RULES, manifest
from tests.support.manifests import FOLDER, FOLDERS, MANIFESTS, read
from tests.support.paths import NAME, ROOT

LABELS = {"app.kubernetes.io/name": NAME}

# The Prometheus Operator defines these two kinds; the validator has the schemas of Kubernetes alone.
FOREIGN = {"servicemonitor", "prometheusrule"}

POD = MANIFESTS["deployment"]["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]
ENVIRONMENT = {variable["name"]: variable["value"] for variable in CONTAINER["env"]}
DEFAULTS = Settings.from_environ({})
COMPOSE = read(ROOT / "config" / "compose.yaml")["services"]["app"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
# The last stage is the image.
IMAGE = dict(re.findall(r"^(USER|EXPOSE) (.+)$", DOCKERFILE.rpartition("\nFROM ")[2], re.MULTILINE))


def mebibytes(quantity: str) -> int:
    """Read an amount of memory, of Kubernetes (`128Mi`) or of Docker (`128m`)."""
    number, unit = re.fullmatch(r"(\d+)(Mi|m|M)", quantity).groups()  # type: ignore[union-attr]
    assert unit in {"Mi", "m"}, "M is a million bytes to Kubernetes"
    return int(number)


@pytest.mark.parametrize("version", all_versions()[-3:])
@pytest.mark.parametrize("name", sorted(MANIFESTS.keys() - FOREIGN))
def test_valid(name: str, version: str) -> None:
    """The schema of each of the three newest versions of Kubernetes accepts it, without an unknown member."""
    assert version.startswith(validate(MANIFESTS[name], version, strict=True))


def test_an_unknown_member_is_not_valid() -> None:
    """The validator would see a mistyped member: what passes above has none."""
    mistyped = json.loads(json.dumps(MANIFESTS["service"]).replace("targetPort", "targetport"))
    with pytest.raises(Exception, match="targetport"):
        validate(mistyped, all_versions()[-1], strict=True)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_kustomization_has_every_file(folder: Path) -> None:
    """No manifest lies there that is not applied."""
    kustomization = read(folder / "kustomization.yaml")
    assert sorted(kustomization["resources"]) == sorted(
        path.name for path in folder.glob("*.yaml") if path.name != "kustomization.yaml"
    )
    assert kustomization["namespace"] == MANIFESTS["namespace"]["metadata"]["name"]


@pytest.mark.parametrize("name", MANIFESTS)
def test_one_name_and_one_label(name: str) -> None:
    """Each manifest is found by the same name and label."""
    metadata = MANIFESTS[name]["metadata"]
    assert metadata["name"] == NAME.replace("_", "-")
    assert metadata["labels"].items() >= LABELS.items()
    assert "namespace" not in metadata  # kustomization.yaml says it once.


def test_selectors_find_the_pods() -> None:
    """Whatever selects pods selects those of the deployment; the autoscaler names it."""
    assert MANIFESTS["deployment"]["spec"]["template"]["metadata"]["labels"] == LABELS
    assert MANIFESTS["service"]["spec"]["selector"] == LABELS
    selectors = [
        *(MANIFESTS[name]["spec"]["selector"] for name in ("deployment", "poddisruptionbudget", "servicemonitor")),
        *(constraint["labelSelector"] for constraint in POD["topologySpreadConstraints"]),
        MANIFESTS["networkpolicy"]["spec"]["podSelector"],
    ]
    assert [{"matchLabels": LABELS}] * len(selectors) == selectors
    deployment = MANIFESTS["deployment"]
    expected = {"apiVersion": deployment["apiVersion"], "kind": "Deployment", "name": deployment["metadata"]["name"]}
    assert expected == MANIFESTS["horizontalpodautoscaler"]["spec"]["scaleTargetRef"]


def test_ports() -> None:
    """The ports are those of the settings and of the image, and all manifests call them by the same names."""
    ports = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
    assert ports == {"http": DEFAULTS.port, "metrics": DEFAULTS.metrics_port}
    assert IMAGE["EXPOSE"] == f"{DEFAULTS.port} {DEFAULTS.metrics_port}"
    assert not {"PORT", "METRICS_PORT"} & ENVIRONMENT.keys()
    service = MANIFESTS["service"]["spec"]["ports"]
    assert [(name, number, name) for name, number in ports.items()] == [
        (port["name"], port["port"], port["targetPort"]) for port in service
    ]
    assert MANIFESTS["servicemonitor"]["spec"]["endpoints"][0]["port"] in ports


def test_user() -> None:
    """The user is the image's."""
    context = POD["securityContext"]
    assert IMAGE["USER"] == f"{context['runAsUser']}:{context['runAsGroup']}"


def test_restricted() -> None:
    """The pod keeps the standard `restricted`, which the namespace enforces, and its root is read-only."""
    labels = MANIFESTS["namespace"]["metadata"]["labels"]
    modes = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
    assert labels.items() >= modes.items()
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & POD.keys()
    assert (True, {"type": "RuntimeDefault"}) == (
        POD["securityContext"]["runAsNonRoot"],
        POD["securityContext"]["seccompProfile"],
    )
    assert [{"name", "emptyDir"}] == [set(volume) for volume in POD["volumes"]]
    assert [] == [port for port in CONTAINER["ports"] if "hostPort" in port]
    expected = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert expected == CONTAINER["securityContext"]
    assert len(POD["containers"]) == 1
    assert POD["automountServiceAccountToken"] is False


def test_settings_are_accepted() -> None:
    """The service starts with these variables, and no Service of the namespace can add others."""
    settings = Settings.from_environ(ENVIRONMENT)
    assert settings.workers == 2  # And not the CPUs of the machine: there is no quota to count them by.
    assert "cpu" not in CONTAINER["resources"]["limits"]
    assert POD["enableServiceLinks"] is False


def test_a_stop_has_time() -> None:
    """Draining and grace end before the pod is killed, with some seconds for the processes themselves."""
    settings = Settings.from_environ(ENVIRONMENT)
    assert settings.drain_seconds > 0
    assert settings.drain_seconds + settings.graceful_timeout + 5 <= POD["terminationGracePeriodSeconds"]


def test_probes_are_those_of_the_contract() -> None:
    """Each probe asks a path that the service describes; only readiness asks the one that fails while it drains."""
    paths = {
        probe: CONTAINER[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert set(paths.values()) <= json.loads((ROOT / "app" / "web" / "openapi.json").read_text())["paths"].keys()
    assert {"http"} == {CONTAINER[probe]["httpGet"]["port"] for probe in paths}


def test_limits_are_those_of_compose() -> None:
    """Memory and shared memory are as in Compose, where the tests of the image prove that they suffice."""
    resources = CONTAINER["resources"]
    assert mebibytes(COMPOSE["mem_limit"]) == mebibytes(resources["limits"]["memory"])
    assert resources["requests"]["memory"] == resources["limits"]["memory"]
    (volume,) = POD["volumes"]
    assert "Memory" == volume["emptyDir"]["medium"]
    assert mebibytes(COMPOSE["shm_size"]) == mebibytes(volume["emptyDir"]["sizeLimit"])
    assert [{"name": volume["name"], "mountPath": "/dev/shm"}] == CONTAINER["volumeMounts"]  # noqa: S108


def test_image_has_a_version() -> None:
    """The tag is the version of this source: `latest` does not tell what runs, and each start pulls it again."""
    assert f"{NAME}:{__version__}" == CONTAINER["image"]


def test_an_update_takes_nothing_away() -> None:
    """New pods are there before old ones go, and the number of them is left to the autoscaler."""
    spec = MANIFESTS["deployment"]["spec"]
    assert 0 == spec["strategy"]["rollingUpdate"]["maxUnavailable"]
    assert "replicas" not in spec


def test_a_disruption_is_always_possible() -> None:
    """With the fewest pods that the autoscaler leaves, one may still be evicted, and others remain."""
    fewest = MANIFESTS["horizontalpodautoscaler"]["spec"]["minReplicas"]
    assert 0 < MANIFESTS["poddisruptionbudget"]["spec"]["maxUnavailable"] < fewest


def test_metrics_are_for_the_monitoring_alone() -> None:
    """Every client reaches the service, one namespace its metrics, and the service no other one."""
    spec = MANIFESTS["networkpolicy"]["spec"]
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert {"Ingress", "Egress"} == set(spec["policyTypes"])
    assert [{"ports": [{"port": "http"}]}, {"ports": [{"port": "metrics"}], "from": [monitoring]}] == spec["ingress"]
    assert [] == spec["egress"]


def test_prometheus_scrapes_as_configured() -> None:
    """Job, interval, timeout and limit are those of prometheus.yml, and the rules ask for this job."""
    config = read(ROOT / "config" / "prometheus" / "prometheus.yml")
    (scrape,) = config["scrape_configs"]
    spec = MANIFESTS["servicemonitor"]["spec"]
    (endpoint,) = spec["endpoints"]
    assert scrape["job_name"] == MANIFESTS["service"]["metadata"]["labels"][spec["jobLabel"]]
    assert config["global"]["scrape_interval"] == endpoint["interval"]
    assert config["global"]["scrape_timeout"] == endpoint["scrapeTimeout"]
    assert scrape["sample_limit"] == spec["sampleLimit"]
    assert set(re.findall(r'job="(\w+)"', json.dumps(MANIFESTS["prometheusrule"]).replace("\\", ""))) == {
        scrape["job_name"]
    }


def test_pods_share_a_budget() -> None:
    """Of the labels that the operator adds, none is left that the rules do not add up over; an instance is a pod."""
    labels = {name: name for name in ("namespace", "service", "pod", "container", "endpoint", "job", "instance")}
    for relabeling in MANIFESTS["servicemonitor"]["spec"]["endpoints"][0]["relabelings"]:
        if relabeling["action"] == "replace":
            (source,) = relabeling["sourceLabels"]
            labels[relabeling["targetLabel"]] = labels[source]
        else:
            assert relabeling["action"] == "labeldrop"
            labels = {name: value for name, value in labels.items() if not re.fullmatch(relabeling["regex"], name)}
    # Two namespaces are two services, each with a budget of its own.
    assert labels == {"namespace": "namespace", "job": "job", "instance": "pod"}


def test_rules_have_one_source() -> None:
    """The manifest is what its program makes of the rule files now, and holds all their groups, unchanged."""
    files = sorted(RULES.glob("*.yml"))
    assert len(files) > 1
    assert manifest(files) == (FOLDER / "monitoring" / "prometheusrule.yaml").read_text()
    assert [group for file in files for group in read(file)["groups"]] == MANIFESTS["prometheusrule"]["spec"]["groups"]
