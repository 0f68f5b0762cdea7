"""The largest bodies of a larger limit: each takes a worker seconds, and small sums are served beside them."""

from pathlib import Path

from tests.support.http_client import exchange
from tests.support.load import Load
from tests.support.service import running, wait_until, wait_until_workers
from tests.support.sums import post

LIMIT = 16 * 1024 * 1024

# Many more than where no worker has time, which are 80, before the large body has come whole.
LEAST_SERVED = 500

# What takes most time and memory of all shapes that are known.
LARGE = post(b'{"data":[%s1e9]}' % (b"1e-7," * ((LIMIT - 16) // 5)))


def test_small_sums_beside_a_large_one(output: Path) -> None:
    """While one worker adds a large body, the other serves its clients."""
    with running(output, MAX_BODY_BYTES=LIMIT) as service:
        wait_until_workers(service, 2)
        load = Load(service.port)
        with load.running():
            wait_until(lambda: len(load.answers) > 100, "there is a load")
            before = [*load.answers.values()].count(200)
            status = exchange(service.port, LARGE).status
            served = [*load.answers.values()].count(200) - before
    print({"served meanwhile": served})  # noqa: T201
    assert 200 == status
    assert served >= LEAST_SERVED
