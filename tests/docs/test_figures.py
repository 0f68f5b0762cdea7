"""Figures: none is missing."""

from pathlib import Path

import pytest

from tests.support.pages import PAGES, page_id

PLACEHOLDER = "RENEW"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_no_figure_waits_for_its_measurement(page: Path) -> None:
    """A figure that is to be measured again is measured before it is published."""
    lines = page.read_text().splitlines()
    assert [] == [number for number, line in enumerate(lines, 1) if PLACEHOLDER in line]
