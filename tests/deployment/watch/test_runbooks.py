"""Whether the alerts lead to a paragraph that exists."""

import re

from tests.deployment.watch.processes import CONFIG
from tests.support.paths import ROOT


def anchors(markdown: str) -> set[str]:
    """Return the anchors that a reader of the page can link to, made of the headings as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_each_alert_links_to_its_own_paragraph() -> None:
    """The runbook of an alert is a heading of README.md that bears its name."""
    rules = "".join(path.read_text() for path in (CONFIG / "rules").iterdir())
    alerts = re.findall(r"- alert: (\w+)", rules)
    links = re.findall(r"runbook: README\.md#(\S+)", rules)
    assert [f"alert-{alert.lower()}" for alert in alerts] == links
    assert set(links) - anchors((ROOT / "README.md").read_text()) == set()
