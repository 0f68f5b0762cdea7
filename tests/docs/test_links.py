"""Links: each leads somewhere, and each page is found."""

import re
from pathlib import Path

import pytest

from tests.support.pages import PAGES, anchors, links, page_id
from tests.support.paths import ROOT

README = ROOT / "README.md"

# Where a person edits a value, a comment may name the page that explains it.
COMMENTED = [
    *(ROOT / "app").rglob("*.py"),
    *(path for path in (ROOT / "config").rglob("*") if path.suffix in {".yml", ".yaml", ".json", ".service", ".cfg"}),
    *(ROOT / name for name in ("gunicorn.conf.py", "Makefile", "Dockerfile", "Vagrantfile")),
]


def resolved(page: Path, target: str) -> Path:
    """Return the file that a link leads to."""
    path = target.partition("#")[0]
    return (page.parent / path).resolve() if path else page


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_each_link_leads_to_a_file(page: Path) -> None:
    """No link or image of a page leads to a file that is gone."""
    assert [] == [target for target in links(page) if not resolved(page, target).exists()]


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_each_anchor_is_a_heading(page: Path) -> None:
    """No link leads to a heading that is gone."""
    found = [(target, resolved(page, target)) for target in links(page) if "#" in target]
    assert [] == [target for target, path in found if target.partition("#")[2] not in anchors(path)]


def test_each_page_is_one_click_from_the_readme() -> None:
    """No page is an orphan: the README links to all of them."""
    linked = {resolved(README, target) for target in links(README)}
    assert set() == set(PAGES) - linked - {README}


@pytest.mark.parametrize("path", COMMENTED, ids=page_id)
def test_each_page_that_a_file_names_exists(path: Path) -> None:
    """A comment, a docstring or an alert names a page, and a heading, that is there."""
    named = re.findall(r"(docs/[\w/-]+\.md)(?:#([\w-]+))?", path.read_text())
    missing = [
        (page, anchor)
        for page, anchor in named
        if not (ROOT / page).exists() or (anchor and anchor not in anchors(ROOT / page))
    ]
    assert [] == missing


def test_the_readme_stays_short() -> None:
    """The README has one screen for each question, and pages for the answers."""
    assert 120 <= len(README.read_text().splitlines()) <= 200
