"""A collector of spans."""

from collections.abc import Iterator

import pytest

from tests.support.collector import Collector, collecting


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Run a collector."""
    with collecting() as collector:
        yield collector
