"""Every expression that is shipped, asked of a Prometheus that has scraped the service under traffic."""

import html
import json
import math
import re
from collections.abc import Iterable

import pytest

from tests.deployment.watch.processes import CONFIG, Prometheus, wait_until
from tests.support.paths import ROOT

CONSOLE = (CONFIG / "consoles" / "index.html").read_text()
DASHBOARD = json.loads((ROOT / "config" / "grafana" / "dashboards" / "service.json").read_text())

CONSOLE_EXPRESSIONS = [
    *re.findall(r"query `([^`]+)`", CONSOLE),
    *(html.unescape(found) for found in re.findall(r"data-expr='([^']+)'", CONSOLE)),
]
# Grafana puts four scrape intervals here.
DASHBOARD_EXPRESSIONS = [
    target["expr"].replace("$__rate_interval", "1m") for panel in DASHBOARD["panels"] for target in panel["targets"]
]
COMPARISON = re.compile(r"(==|!=|>=|<=|>|<)(?=\s)")


def without_data(prometheus: Prometheus, expressions: Iterable[str]) -> list[str]:
    """Return the expressions that yield nothing but NaN within the time limit."""

    def empty() -> list[str]:
        # Nothing fires while all is well; test_outage.py looks at this one.
        asked = [expression for expression in expressions if not expression.startswith("ALERTS")]
        return [one for one in asked if all(map(math.isnan, prometheus.values(one)))]

    return wait_until(empty, lambda left: left == [], seconds=30)


def test_every_rule_loads_and_is_healthy(prometheus: Prometheus) -> None:
    """Prometheus has evaluated each rule in the files without an error."""
    files = "".join(path.read_text() for path in (CONFIG / "rules").iterdir())
    shipped = len(re.findall(r"^ +- (?:record|alert):", files, re.MULTILINE))

    def healths() -> list[str]:
        return [rule["health"] for kind in ("recording", "alerting") for rule in prometheus.rules(kind)]

    assert wait_until(healths, lambda found: set(found) == {"ok"}) == ["ok"] * shipped


@pytest.mark.usefixtures("sent")
def test_recording_rules_return_data(prometheus: Prometheus) -> None:
    """None selects a label or a metric that does not exist."""
    assert without_data(prometheus, [rule["query"] for rule in prometheus.rules("recording")]) == []


@pytest.mark.usefixtures("sent")
def test_alerts_return_data(prometheus: Prometheus) -> None:
    """With `bool` a comparison yields 0 instead of nothing: an alert at rest still shows that it sees its metrics."""
    alerts = [COMPARISON.sub(r"\1 bool", rule["query"]) for rule in prometheus.rules("alerting")]
    assert without_data(prometheus, alerts) == []


@pytest.mark.usefixtures("sent")
def test_console_expressions_return_data(prometheus: Prometheus) -> None:
    """Every figure and every line of the console page has something to show."""
    assert without_data(prometheus, CONSOLE_EXPRESSIONS) == []


@pytest.mark.usefixtures("sent")
def test_dashboard_expressions_return_data(prometheus: Prometheus) -> None:
    """So has the dashboard."""
    assert without_data(prometheus, DASHBOARD_EXPRESSIONS) == []


def test_routes_and_objectives_stand_in_one_place() -> None:
    """A copy of the project with other routes and objectives edits objectives.yml alone."""
    rules = [path.read_text() for path in (CONFIG / "rules").iterdir() if path.name != "objectives.yml"]
    found = [
        re.findall(r"\b(?:route|method)=|\b0\.(?:001|01|025)\b", text)
        for text in (*rules, CONSOLE, json.dumps(DASHBOARD))
    ]
    assert [[]] * len(found) == found


def test_dashboard_and_console_show_the_same_panels() -> None:
    """The alerts' texts name panels, and the engineer on call has one or the other open."""
    charts = {panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "timeseries"}
    captions = set(re.findall(r"<figcaption>(.*?) <small>", CONSOLE))
    assert {chart.removesuffix(" and open files") for chart in charts} == captions


def test_dashboard_has_at_most_ten_panels() -> None:
    """An engineer who is called at night looks at one screen."""
    assert len(DASHBOARD["panels"]) <= 10


@pytest.mark.usefixtures("sent")
def test_console_page_shows_the_running_version(prometheus: Prometheus) -> None:
    """Prometheus alone renders the page; of a service that was told no revision it shows the version without one."""
    page = wait_until(lambda: prometheus.get("/consoles/index.html"), lambda text: "error budget burn" in text)
    assert re.search(r"127\.0\.0\.1:\d+ runs \d+\.\d+\.\d+ on Python 3\.\d+", page) is not None


def test_console_script_is_served_as_it_is(prometheus: Prometheus) -> None:
    """Prometheus takes the script for an HTML template, and finds nothing in it to expand or to escape."""
    assert (CONFIG / "consoles" / "charts.js").read_text() == prometheus.get("/consoles/charts.js")
