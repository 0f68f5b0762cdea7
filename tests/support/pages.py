"""The pages that a person reads: README, its companions and docs/."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.paths import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def page_id(page: Path) -> str:
    """Name a page, for the ids of tests."""
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return [text for found, text in _FENCED.findall(page.read_text()) if found == language]


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCED.sub("", page.read_text())


def sessions(page: Path) -> Iterator[tuple[str, str]]:
    """Go through the commands of a page, each with the output that follows it there."""
    for block in blocks(page, "console"):
        yield from re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)


def commands() -> list[str]:
    """Return the commands of all pages, each once."""
    return sorted({command for page in PAGES for command, _ in sessions(page)})


def headings(page: Path) -> list[str]:
    """Return the headings of a page."""
    return re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors that a reader can link to, made of the headings as code hosts make them."""
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings(page)}


def links(page: Path) -> list[str]:
    """Return the targets of a page's links and images, those to other hosts excepted."""
    return re.findall(r"\]\((?!https?://)([^)]+)\)", prose(page))


def table(page: str, heading: str | None = None) -> list[list[str]]:
    """Return the cells of the first table of a page, or of a section of it, without the header."""
    text = (ROOT / page).read_text()
    if heading is not None:
        text = text.split(f"## {heading}\n", 1)[1]
    rows = re.search(r"((?:^\|.*\|\n)+)", text, re.MULTILINE)
    assert rows is not None
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[1].splitlines()[2:]]


def names(cells: list[str]) -> set[str]:
    """Return what some cells name as code."""
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
