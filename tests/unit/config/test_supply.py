"""The supply of the project: what is installed is pinned, what runs in CI is pinned and may do little."""

import json
import re
import tomllib
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
        yield from job.get("steps", ())


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
    own = r"\$/\.github/workflows/[a-z]+\.yml"
    pinned = r"(actions|docker|sigstore)/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+"
    assert [] == [use for use in used if not re.fullmatch(rf"{own}|{pinned}", use)]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_commands_are_make_targets(name: str) -> None:
    """What CI runs, a developer runs by the same name."""
    commands = [step["run"] for step in steps(name) if "run" in step]
    assert commands
    for command in commands:
        found = re.fullmatch(r'(?:sudo )?make (?:([a-z-]+)|"\$TARGET")', command)
        assert found, command
        assert found[1] in targets() | {None}


def listed(name: str) -> set[str]:
    """Read a list of targets from the Makefile."""
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    (found,) = re.findall(rf"^{name} = (.*)$", makefile, re.MULTILINE)
    return set(found.split())


def test_ci_is_one_list() -> None:
    """The jobs of the workflow are what `make ci` runs but for what needs a Debian machine; .ci/run runs all of it."""
    (job,) = jobs("ci.yml")
    matrix = job["strategy"]["matrix"]
    assert listed("CI") - listed("ON_DEBIAN") | {"audit"} == set(matrix["target"])
    (minor,) = re.findall(r"^ARG PYTHON_IMAGE=python:(3\.\d+)-", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert [minor] == matrix["python"]
    assert set() == {entry["target"] for entry in matrix["include"]} - set(matrix["target"])
    assert set() == listed("ON_DEBIAN") - listed("CI")
    assert ["make ci"] == re.findall(r"^ *make .*", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)


def test_both_ends_of_the_supported_pythons_are_tested() -> None:
    """The oldest and the newest Python that pyproject.toml names run the tests, and the oldest is what it asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    minors = [line.removeprefix("Programming Language :: Python :: ") for line in project["classifiers"]]
    (job,) = jobs("ci.yml")
    matrix = job["strategy"]["matrix"]
    tested = {*matrix["python"], *(entry["python"] for entry in matrix["include"] if entry["target"] == "test")}
    assert {minors[0], minors[-1]} <= tested <= set(minors)
    assert f">={minors[0]}" == project["requires-python"]


# What a job may do beyond reading the repository, with the reason beside it in the workflow.
MAY = {
    ("rebuild.yml", "start"): {"actions": "write"},
    ("release.yml", "image"): {"id-token": "write", "packages": "write"},
    ("release.yml", "announcement"): {"contents": "write"},
}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_permissions_are_the_least(name: str) -> None:
    """A workflow has none, a job may read, and three may do what MAY says; no token stays in the checkout."""
    assert {} == workflow(name)["permissions"]
    for identity, job in workflow(name)["jobs"].items():
        assert {"contents": "read"} | MAY.get((name, identity), {}) == job["permissions"]
    checkouts = [step for step in steps(name) if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == len([job for job in jobs(name) if "steps" in job])
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)
    assert "secrets." not in (ROOT / ".github" / "workflows" / name).read_text()


@pytest.mark.parametrize("name", WORKFLOWS)
def test_jobs_have_an_end(name: str) -> None:
    """No job runs for six hours, which is the default, and a new run ends the one before, but for a release."""
    assert all(0 < job["timeout-minutes"] <= 60 for job in jobs(name) if "steps" in job)
    assert (name != "release.yml") == workflow(name)["concurrency"]["cancel-in-progress"]
    assert "pull_request_target" not in workflow(name)[True]  # YAML 1.1 reads `on` as a boolean.


def test_a_release_is_tested_and_then_signed() -> None:
    """Nothing is built before the jobs of ci.yml have passed, and nothing is announced before it is verified."""
    release = workflow("release.yml")
    assert {"push": {"tags": ["v*"]}, "workflow_dispatch": None} == release[True]
    assert ["test", "image"] == [release["jobs"][job]["needs"] for job in ("image", "announcement")]
    commands = [step["run"] for step in release["jobs"]["image"]["steps"] if "run" in step]
    assert [f"make release-{step}" for step in ("build", "push", "sign", "verify")] == commands


def test_the_bot_knows_where_versions_stand() -> None:
    """One bot renews each pinned thing, after a few days in which others find out what is wrong with it."""
    renovate = json.loads((ROOT / "renovate.json").read_text())
    (pattern,) = renovate["pip_requirements"]["managerFilePatterns"]
    assert all(re.search(pattern.strip("/"), lock) for lock in LOCKS)
    assert {"dockerfile", "docker-compose", "github-actions", "pip_requirements"} == set(renovate["enabledManagers"])
    assert "3 days" == renovate["minimumReleaseAge"]
    assert not (ROOT / ".github" / "dependabot.yml").exists()
