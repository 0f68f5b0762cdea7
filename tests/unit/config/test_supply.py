"""The supply of the project: what is installed is pinned, what runs in CI is pinned and may do little."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT

LOCKS = [
    *("requirements.lock", "requirements-otel.lock"),
    *(str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("requirements.lock")),
]
WORKFLOWS = [path.name for path in (ROOT / ".github" / "workflows").glob("*.yml")]

# The name, the version, perhaps markers, and hashes: no address, no option, no folder.
REQUIREMENT = re.compile(
    r"[a-z0-9][a-z0-9.-]*==[0-9][A-Za-z0-9.]*"
    r"( ; [a-z_]+ [!=<>]+ '[A-Za-z0-9.]+'( and [a-z_]+ [!=<>]+ '[A-Za-z0-9.]+')*)?"
    r"( --hash=sha256:[0-9a-f]{64})+"
)


def requirements(lock: str) -> list[str]:
    """Read a lock file, each requirement in one line."""
    return (ROOT / lock).read_text().replace(" \\\n    ", " ").splitlines()


def workflow(name: str) -> dict[str, Any]:
    """Read a workflow."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text())
    return loaded


def jobs(name: str) -> Iterator[dict[str, Any]]:
    """Go through the jobs of a workflow."""
    yield from workflow(name)["jobs"].values()


def steps(name: str) -> Iterator[dict[str, Any]]:
    """Go through the steps of all jobs of a workflow."""
    for job in jobs(name):
        yield from job["steps"]


def targets() -> set[str]:
    """List the targets of the Makefile that `make help` lists."""
    return set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_each_requirement_has_a_version_and_hashes(lock: str) -> None:
    """Nothing is installed but what the hashes name, and from no address of its own."""
    lines = requirements(lock)
    assert len(lines) > 10
    assert [] == [line for line in lines if not REQUIREMENT.fullmatch(line)]


@pytest.mark.parametrize("pair", list(combinations(LOCKS, 2)), ids=" and ".join)
def test_locks_agree(pair: tuple[str, str]) -> None:
    """What serves is tested and measured in the version in which it serves."""
    one, other = ({line.partition("==")[0]: line for line in requirements(lock)} for lock in pair)
    assert [] == [name for name in one.keys() & other.keys() if one[name] != other[name]]


def test_there_is_a_workflow() -> None:
    """The tests below have something to look at."""
    assert "ci.yml" in WORKFLOWS


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_are_pinned_to_commits(name: str) -> None:
    """A tag can be moved, a commit cannot; the comment tells people and bots which version it is."""
    text = (ROOT / ".github" / "workflows" / name).read_text()
    used = re.findall(r"uses: *(.*)", text)
    assert used
    assert [] == [use for use in used if not re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_commands_are_make_targets(name: str) -> None:
    """What CI runs, a developer runs by the same name."""
    commands = [step["run"] for step in steps(name) if "run" in step]
    assert commands
    for command in commands:
        found = re.fullmatch(r"(?:sudo )?make ([a-z-]+)", command)
        assert found, command
        assert found[1] in targets()


@pytest.mark.parametrize("name", WORKFLOWS)
def test_permissions_are_the_least(name: str) -> None:
    """A workflow has none, each job may read the repository, and no token stays behind in the checkout."""
    assert {} == workflow(name)["permissions"]
    assert [{"contents": "read"}] * len(workflow(name)["jobs"]) == [job["permissions"] for job in jobs(name)]
    checkouts = [step for step in steps(name) if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == len(workflow(name)["jobs"])
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)
    assert "secrets." not in (ROOT / ".github" / "workflows" / name).read_text()


@pytest.mark.parametrize("name", WORKFLOWS)
def test_jobs_have_an_end(name: str) -> None:
    """No job runs for six hours, which is the default, and a new commit ends the run of the one before."""
    assert all(0 < job["timeout-minutes"] <= 60 for job in jobs(name))
    assert workflow(name)["concurrency"]["cancel-in-progress"] is True
    assert "pull_request_target" not in workflow(name)[True]  # YAML 1.1 reads `on` as a boolean.


def test_bots_know_where_versions_stand() -> None:
    """Each pinned thing has a bot that renews it, and only one."""
    renovate = json.loads((ROOT / "renovate.json").read_text())
    (pattern,) = renovate["pip_requirements"]["managerFilePatterns"]
    assert all(re.search(pattern.strip("/"), lock) for lock in LOCKS)
    dependabot = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())
    assert ["github-actions"] == [update["package-ecosystem"] for update in dependabot["updates"]]
    assert "github-actions" not in renovate["enabledManagers"]
