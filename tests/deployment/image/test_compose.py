"""config/compose.yaml, as far as it can be proven without the images of Prometheus and Grafana."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deployment.image.compose import compose
from tests.support.paths import ROOT

FOLDER = ROOT / "config"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """Read the services, defaults merged."""
    found: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    return found


def test_valid() -> None:
    """Compose accepts it."""
    compose("config", "--quiet")


def test_every_mounted_path_exists(services: dict[str, Any]) -> None:
    """What is mounted from this folder is there; Docker would make an empty folder in place of a missing one."""
    mounts = [volume.split(":") for service in services.values() for volume in service.get("volumes", ())]
    missing = [source for source, *_ in mounts if source.startswith(".") and not (FOLDER / source).exists()]
    assert missing == []


def test_mounts_are_read_only(services: dict[str, Any]) -> None:
    """No container can change the repository."""
    mounts = [
        volume for service in services.values() for volume in service.get("volumes", ()) if volume.startswith(".")
    ]
    assert [mount for mount in mounts if not mount.endswith(":ro")] == []


@pytest.mark.parametrize("name", ["app", "prometheus", "grafana", "collector", "jaeger"])
def test_hardened(services: dict[str, Any], name: str) -> None:
    """Every service runs without capabilities, with a read-only root and limits, on the loopback interface only."""
    service = services[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "cpus", "pids_limit"} <= service.keys()
    assert [port for port in service.get("ports", ()) if not port.startswith("127.0.0.1:")] == []


def test_the_port_of_the_host_can_be_chosen(services: dict[str, Any]) -> None:
    """PORT chooses where the service answers: another program of the host may hold 5000, as macOS does."""
    assert ["127.0.0.1:${PORT:-5000}:5000"] == services["app"]["ports"]


def test_the_rehearsal_machine_is_hardened_alike(services: dict[str, Any]) -> None:
    """The Vagrantfile starts the service with the same options, and the same Prometheus."""
    vagrantfile = (ROOT / "Vagrantfile").read_text()
    text = vagrantfile.partition("limits = %w[\n")[2].partition("\n]")[0]
    options = dict(zip(text.split()[1::2], text.split()[2::2], strict=True))
    app = services["app"]
    expected = {
        "--cap-drop": "ALL",
        "--security-opt": "no-new-privileges",
        "--memory": app["mem_limit"],
        "--memory-swap": app["memswap_limit"],
        "--cpus": f"{app['cpus']:g}",
        "--cpu-shares": str(app["cpu_shares"]),
        "--pids-limit": str(app["pids_limit"]),
        "--shm-size": app["shm_size"],
        "--ulimit": f"nofile={app['ulimits']['nofile']}",
        "--log-driver": app["logging"]["driver"],
    }
    assert text.split()[0] == "--read-only"
    assert expected == {name: value for name, value in options.items() if name in expected}
    assert f'"{services["prometheus"]["image"]}"' in vagrantfile


def test_prometheus_finds_the_service(services: dict[str, Any]) -> None:
    """The target that is mounted for Compose is the service's own name, on the port of its metrics."""
    targets = yaml.safe_load((FOLDER / "prometheus/targets-compose/app.yml").read_text())
    assert [target for group in targets for target in group["targets"]] == ["app:9464"]
    assert "app" in services


def test_traces_find_their_way(services: dict[str, Any]) -> None:
    """The service is told of the collector by the variable of the host, and the collector hands its spans to Jaeger."""
    assert {"OTEL_EXPORTER_OTLP_ENDPOINT": "${OTEL_EXPORTER_OTLP_ENDPOINT:-}"} == services["app"]["environment"]
    assert {"OTEL": "${OTEL:-}"} == services["app"]["build"]["args"]
    assert {"collector", "jaeger"} == {
        name for name, service in services.items() if service.get("profiles") == ["traces"]
    }
    collector = yaml.safe_load((FOLDER / "otel/collector.yaml").read_text())
    assert "http://jaeger:4318" == collector["exporters"]["otlp_http"]["endpoint"]
    for kind, members in collector["service"]["pipelines"]["traces"].items():
        assert set(members) == collector[kind].keys()


def test_grafana_finds_prometheus(services: dict[str, Any]) -> None:
    """Grafana's data source is the service `prometheus`, and the dashboard lies where Grafana looks for it."""
    source = yaml.safe_load((FOLDER / "grafana/provisioning/datasources/prometheus.yml").read_text())
    assert [entry["url"] for entry in source["datasources"]] == ["http://prometheus:9090"]
    provider = yaml.safe_load((FOLDER / "grafana/provisioning/dashboards/service.yml").read_text())["providers"][0]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in services["grafana"]["volumes"]
    home = Path(services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (FOLDER / "grafana/dashboards" / home.name).exists()
