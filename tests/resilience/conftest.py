"""What crowds of clients need."""

import resource
from collections.abc import Iterator

import pytest


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Allow the tests and their services a descriptor for each client."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, max(before[1], 8192)))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
