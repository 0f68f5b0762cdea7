"""A collector of spans, and an output of the log."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.observability.log_output import LogOutput
from tests.support.collector import Collector, collecting


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Run a collector."""
    with collecting() as collector:
        yield collector


@pytest.fixture
def output(tmp_path: Path) -> Iterator[LogOutput]:
    """Make an output into a file."""
    with (tmp_path / "stdout").open("w") as stream:
        yield LogOutput(stream)
