"""The page on Docker: each property names the test that proves it."""

import re

import pytest

from tests.support.pages import table
from tests.support.paths import ROOT

ROWS = table("docs/deploy/docker.md", "What hardens it")
FOLDER = ROOT / "tests" / "deployment" / "image"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_property_names_its_test(row: list[str]) -> None:
    """The test is there."""
    found = re.findall(r"`(test_\w+\.py)(?:::(\w+))?`", row[1])
    assert found
    for file, function in found:
        assert f"def {function}" in (FOLDER / file).read_text()


def test_each_stage_has_a_row() -> None:
    """The page describes the stages of the Dockerfile, in their order."""
    stages = re.findall(r"^FROM \S+ AS (\w+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    rows = table("docs/deploy/docker.md", "How the image is built")
    assert [*stages, "the last"] == [row[0].strip("`") for row in rows]
