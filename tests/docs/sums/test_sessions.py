"""Sessions: the curl commands of the pages print what stands there."""

import pytest

from tests.support.http_client import curl
from tests.support.pages import PAGES, sessions
from tests.support.service import Service

SESSIONS = sorted({session for page in PAGES for session in sessions(page) if session[0].startswith("curl -X POST ")})


@pytest.mark.parametrize(("command", "output"), SESSIONS)
def test_a_curl_prints_what_stands_there(product: Service, command: str, output: str) -> None:
    """Each command gets exactly the output below it."""
    assert output == curl(product.port, command).body.decode()


def test_there_are_sessions() -> None:
    """The pages have something to run."""
    assert len(SESSIONS) >= 5
