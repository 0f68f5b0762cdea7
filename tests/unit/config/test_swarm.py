"""config/swarm.yaml and what it mounts: true to config/compose.yaml, the settings and config/prometheus."""

import re
from pathlib import Path
from typing import Any

import yaml

from app.settings import Settings
from tests.support.paths import ROOT

CONFIG = ROOT / "config"


def read(path: Path) -> Any:
    """Read a YAML file."""
    return yaml.safe_load(path.read_text())


STACK = read(CONFIG / "swarm.yaml")
SERVICES = STACK["services"]
APP = SERVICES["app"]
COMPOSE = read(CONFIG / "compose.yaml")["services"]
HAPROXY = (CONFIG / "swarm" / "haproxy.cfg").read_text()


def test_limits_are_those_of_compose() -> None:
    """The service gets what it gets in Compose, where the tests of the image prove that it suffices."""
    compose = COMPOSE["app"]
    limits = {"cpus": str(compose["cpus"]), "memory": compose["mem_limit"].upper(), "pids": compose["pids_limit"]}
    assert limits == APP["deploy"]["resources"]["limits"]
    assert compose["ulimits"] == APP["ulimits"]
    (shared_memory,) = APP["volumes"]
    assert "/dev/shm" == shared_memory["target"]  # noqa: S108
    assert int(compose["shm_size"].removesuffix("m")) * 1024 * 1024 == shared_memory["tmpfs"]["size"]


def test_hardened_as_in_compose() -> None:
    """Every service is hardened as in Compose; security_opt, which `docker stack deploy` ignores, pretends nothing."""
    for service in SERVICES.values():
        assert (True, ["ALL"]) == (service["read_only"], service["cap_drop"])
        assert COMPOSE["app"]["logging"] == service["logging"]
        assert "security_opt" not in service
        assert {"cpus", "memory", "pids"} == service["deploy"]["resources"]["limits"].keys()


def test_service_has_no_way_out() -> None:
    """Both networks of the service are internal, and no port of it is published."""
    assert all(STACK["networks"][network]["internal"] for network in APP["networks"])
    assert {"balancer": [5000]} == {
        name: [port["published"] for port in service["ports"]]
        for name, service in SERVICES.items()
        if "ports" in service
    }


def test_a_stop_has_time() -> None:
    """Draining and grace end before Swarm kills, and the balancer has learnt of the stop before the draining ends."""
    settings = Settings.from_environ(APP["environment"])
    assert settings.drain_seconds + settings.graceful_timeout + 5 <= int(APP["stop_grace_period"].removesuffix("s"))
    (milliseconds, failures) = map(int, re.findall(r"check inter (\d+)ms fall (\d+)", HAPROXY)[0])
    assert 2 * milliseconds * failures / 1000 <= settings.drain_seconds
    hard_stop = int(re.findall(r"hard-stop-after (\d+)s", HAPROXY)[0])
    assert hard_stop < int(SERVICES["balancer"]["stop_grace_period"].removesuffix("s"))


def test_a_broken_update_is_taken_back() -> None:
    """An update starts new replicas first, goes by the health check of the image, and goes back where one fails."""
    update = APP["deploy"]["update_config"]
    assert ("start-first", "rollback") == (update["order"], update["failure_action"])
    assert "healthcheck" not in APP  # The image's, which a `docker run` has as well.
    assert "dnsrr" == APP["deploy"]["endpoint_mode"]


def test_balancer_finds_the_replicas() -> None:
    """The balancer asks the engine's DNS for the service on its port, and answers the port that is published."""
    port = Settings.from_environ(APP["environment"]).port
    assert re.findall(r"^ +server-template replica \d+ tasks\.(\w+):(\d+)$", HAPROXY, re.MULTILINE) == [
        ("app", str(port))
    ]
    assert f"bind :{port}\n" in HAPROXY
    assert "uri /readyz" in HAPROXY
    assert set(SERVICES["balancer"]["networks"]) & set(APP["networks"]) == {"requests"}


def test_prometheus_differs_in_its_targets_alone() -> None:
    """Its configuration is that of config/prometheus, with the DNS in the place of a file."""
    expected = read(CONFIG / "prometheus" / "prometheus.yml")
    actual = read(CONFIG / "swarm" / "prometheus.yml")
    del expected["scrape_configs"][0]["file_sd_configs"]
    ((discovery,),) = [scrape.pop("dns_sd_configs") for scrape in actual["scrape_configs"]]
    assert expected == actual
    port = Settings.from_environ(APP["environment"]).metrics_port
    assert (["tasks.app"], "A", port) == (discovery["names"], discovery["type"], discovery["port"])
    assert COMPOSE["prometheus"]["image"] == SERVICES["prometheus"]["image"]


def test_prometheus_has_every_rule() -> None:
    """Each rule file is mounted where the configuration looks for it, and each config is used and has a file."""
    mounted = {config["source"]: config["target"] for name in SERVICES for config in SERVICES[name].get("configs", ())}
    assert mounted.keys() == STACK["configs"].keys()
    files = {name: CONFIG / config["file"] for name, config in STACK["configs"].items()}
    assert [] == [file for file in files.values() if not file.is_file()]
    rules = {file.name for file in (CONFIG / "prometheus" / "rules").iterdir()}
    assert {f"/etc/prometheus/rules/{name}" for name in rules} == {
        mounted[name] for name, file in files.items() if file.parent.name == "rules"
    }
    # An edit of a file needs a new name: a config cannot be changed.
    assert all(config["name"].endswith("${CONFIGS:-1}") for config in STACK["configs"].values())
