"""Injection by the body of a sum, or by its encoding."""

from collections.abc import Iterator

import pytest

from tests.support.abuse import Target, target
from tests.support.payloads import PAYLOADS, RAW
from tests.support.sums import post


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Run the service that is attacked."""
    with target(tmp_path_factory.mktemp("injection") / "output") as server:
        yield server


@pytest.mark.parametrize("body", [b'{"data": ["%s"]}', b'{"data": [%s]}', b'{"%s": 1}', b'{"data": {"%s": []}}', b"%s"])
def test_bodies(server: Target, body: bytes) -> None:
    """An element that is no number is shown to its client alone, and no more than 64 characters of it."""
    attacks = [post(body.replace(b"%s", payload)) for payload in PAYLOADS + RAW]
    assert {(400,), (422,)} >= {tuple(statuses) for statuses in server.attack(*attacks)}
    assert "forged" not in str(server.service.lines()[-len(attacks) :])


def test_encodings(server: Target) -> None:
    """A Content-Encoding that is none is refused, whatever is in it."""
    head = b"POST / HTTP/1.1\r\nHost: test\r\nX: y\r\nContent-Encoding: %s\r\n\r\n"
    statuses = server.attack(*[head % payload for payload in PAYLOADS + RAW])
    assert {(400,), (415,)} >= {tuple(several) for several in statuses}
