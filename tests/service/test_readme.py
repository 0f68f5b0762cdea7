"""The README tells the truth: its commands are run and its tables are compared with what is there."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from app.settings import SettingError, Settings
from tests.support.http_client import curl, exchange, get, post
from tests.support.paths import ROOT
from tests.support.service import Service, wait_until

README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def _sessions() -> list[tuple[str, str]]:
    """Return each command of the README with the output that follows it there."""
    sessions = []
    for block in re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            sessions.append((command, output))
    return sessions


def _table(heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its two header lines."""
    section = README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.search(r"((?:^\|.*\|\n)+)", section, re.MULTILINE)
    assert rows is not None
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[1].splitlines()[2:]]


@pytest.mark.parametrize(
    ("command", "output"),
    [session for session in _sessions() if session[0].startswith("curl ") and ":5000" in session[0]],
)
def test_a_curl_of_the_readme_prints_what_stands_there(service: Service, command: str, output: str) -> None:
    """Each curl command gets exactly the output below it."""
    assert output == curl(service.port, command).body.decode()


def test_every_make_target_of_the_readme_exists() -> None:
    """Whatever the README says to make is a target of the Makefile, with a line of help."""
    named = set(re.findall(r"`make ([a-z-]+)`", README)) | set(
        re.findall(r"^\$ .*\bmake ([a-z-]+)", README, re.MULTILINE)
    )
    assert set() == named - set(re.findall(r"^([a-z-]+):.* ## ", MAKEFILE, re.MULTILINE))


def test_every_file_that_the_readme_links_to_exists() -> None:
    """No link of the README leads to a file that is gone."""
    targets = {target.split("#")[0] for target in re.findall(r"\]\((?!http)([^)]+)\)", README)} - {""}
    assert [] == [target for target in targets if not (ROOT / target).exists()]


def test_every_link_within_the_readme_leads_to_a_heading() -> None:
    """No link of the README leads to a heading that is gone."""
    headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set() == set(re.findall(r"\]\(#([^)]+)\)", README)) - anchors


def test_the_table_of_settings_names_each_setting_once() -> None:
    """The table has one row for each setting of the code."""
    rows = [row[0].strip("`") for row in _table("Settings")]
    assert len(fields(Settings)) == len(rows) == len(set(rows))


@pytest.mark.parametrize("row", _table("Settings"), ids=lambda row: row[0])
def test_the_table_of_settings_tells_the_defaults(row: list[str]) -> None:
    """A setting that is given its default from the table is as if it were not given."""
    variable, default = row[0].strip("`"), row[1]
    cpus = 7
    value = str(cpus) if default == "the usable CPUs" else default
    assert Settings.from_environ({}, lambda: cpus) == Settings.from_environ({variable: value}, lambda: cpus)


@pytest.mark.parametrize("row", [row for row in _table("Settings") if " to " in row[2]], ids=lambda row: row[0])
def test_the_table_of_settings_tells_the_bounds(row: list[str]) -> None:
    """The bounds of the table are accepted, and the numbers beyond them are not."""
    variable = row[0].strip("`")
    lowest, highest = (int(bound) for bound in re.findall(r"\d+", row[2])[:2])
    for accepted in (lowest, highest):
        Settings.from_environ({variable: str(accepted)}, lambda: 1)
    for refused in (lowest - 1, highest + 1):
        with pytest.raises(SettingError, match=variable):
            Settings.from_environ({variable: str(refused)}, lambda: 1)


def test_the_table_of_metrics_names_what_is_served(service: Service) -> None:
    """The table names each metric that is served, and no other one."""
    named = {name for row in _table("Metrics") for name in re.findall(r"`([a-z_]+)`", row[0])}
    text = get(service.metrics_port, "/metrics").body.decode()
    assert set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)) == named


def test_the_table_of_the_log_names_each_key_of_a_request(service: Service) -> None:
    """The table names each key of a request's line, but for the three that all lines have."""
    named = {name for row in _table("Logs") for name in re.findall(r"`([a-z_]+)`", row[0])}
    exchange(service.port, post(b'{"data": [1]}', "X-Request-ID: readme", f"traceparent: 00-{'a' * 32}-{'b' * 16}-01"))
    (line,) = wait_until(lambda: service.requests(request_id="readme"), "the line is written")
    assert set(line) - {"timestamp", "level", "event"} == named - {"error"}


def test_the_readme_is_where_packagers_look_for_it() -> None:
    """The files that a visitor looks for first are there."""
    assert [] == [name for name in ("README.md", "LICENSE", "CHANGELOG.md") if not Path(ROOT / name).is_file()]
