"""The limit on descriptors: a server needs more than the usual soft limit."""

import resource

import pytest

from app.serving.descriptors import allow_descriptors, connections_within_limit

INFINITE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        pytest.param((1024, 4096), (2000, 4096), id="raised"),
        pytest.param((1024, 1500), (1500, 1500), id="as far as may be"),
        pytest.param((1024, INFINITE), (2000, INFINITE), id="without a hard limit"),
        pytest.param((3000, 4096), None, id="enough"),
        pytest.param((INFINITE, INFINITE), None, id="without any limit"),
    ],
)
def test_allow_descriptors(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], expected: tuple[int, int] | None
) -> None:
    """The soft limit is raised to what is needed, and never lowered."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    changed: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: changed.append(new))
    allow_descriptors(2000)
    assert ([] if expected is None else [expected]) == changed


@pytest.mark.parametrize(("hard", "expected"), [(INFINITE, 1000), (2000, 1000), (1024, 512), (64, 32)])
def test_connections_within_limit(monkeypatch: pytest.MonkeyPatch, hard: int, expected: int) -> None:
    """Connections leave half of the descriptors to what else the process opens."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, hard))
    assert expected == connections_within_limit(1000)
