"""The runbook: each alert leads to its heading."""

import re

import yaml

from tests.support.pages import anchors, headings
from tests.support.paths import ROOT

RUNBOOK = ROOT / "docs" / "operations" / "runbook.md"
ADDRESS = re.compile(r"https://github\.com/[\w-]+/[\w-]+/blob/main/docs/operations/runbook\.md#([\w-]+)")


def alerts() -> list[tuple[str, str]]:
    """Return the name and the runbook's address of each alert."""
    groups = [yaml.safe_load(path.read_text())["groups"] for path in (ROOT / "config/prometheus/rules").glob("*.yml")]
    rules = [rule for file in groups for group in file for rule in group["rules"]]
    return [(rule["alert"], rule["annotations"]["runbook_url"]) for rule in rules if "alert" in rule]


def test_each_alert_leads_to_its_own_heading() -> None:
    """The address of an alert's runbook is absolute, and ends with the anchor of its own heading."""
    for name, address in alerts():
        found = ADDRESS.fullmatch(address)
        assert found, address
        assert f"alert-{name.lower()}" == found[1]
        assert found[1] in anchors(RUNBOOK)


def test_each_heading_has_an_alert() -> None:
    """The runbook describes no alert that is gone."""
    described = {name.removeprefix("Alert: ") for name in headings(RUNBOOK) if name.startswith("Alert: ")}
    assert {name for name, _ in alerts()} == described
