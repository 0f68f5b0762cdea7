"""The threat model: no answer to an attack is only claimed."""

import re

from tests.support.paths import ROOT

TEXT = (ROOT / "docs" / "threat-model.md").read_text()


def test_each_test_that_is_named_exists() -> None:
    """The tables point at tests that are there."""
    named = re.findall(r"`(tests/[a-z_/]+\.py)(?:::([a-z0-9_]+))?`", TEXT)
    assert len(named) >= 30
    missing = [
        (file, function)
        for file, function in named
        if not (ROOT / file).exists() or f"def {function}" not in (ROOT / file).read_text()
    ]
    assert [] == missing


def test_each_row_names_its_proof() -> None:
    """Each attack, flood and fault has a test or a make target."""
    tables = re.findall(r"^\| (?:attack|flood|fault) .*\n\|[-|]+\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    assert 3 == len(tables)
    rows = [row for lines in tables for row in lines.splitlines()]
    assert [] == [row for row in rows if "`tests/" not in row and "`make " not in row]
