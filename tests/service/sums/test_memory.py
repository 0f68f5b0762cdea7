"""Memory: the costliest bodies at the default limit leave a container of 128 MB alive."""

import pytest

from tests.support.costliest import COSTLIEST
from tests.support.memory import CAN_BE_TOLD, CONTAINER_BYTES, peak_bytes
from tests.support.service import Service
from tests.support.sums import post

pytestmark = pytest.mark.skipif(not CAN_BE_TOLD, reason="the memory of a tree of processes is told by Linux only")


@pytest.mark.parametrize("name", COSTLIEST)
def test_eight_of_the_costliest_bodies_fit(unmeasured_service: Service, name: str) -> None:
    """While eight clients send one of the costliest bodies at once, the service stays small."""
    workers = unmeasured_service.workers()
    assert CONTAINER_BYTES > peak_bytes(unmeasured_service, post(COSTLIEST[name]))
    assert workers == unmeasured_service.workers()
