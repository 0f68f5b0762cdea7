"""The one example of what this service is asked, for tests that merely need an honest request and its answer.

A copy of the project that replaces app/sums edits this file, and no other test of the service.
"""

from tests.support.http_client import post

METHOD, ROUTE = "POST", "/"
ROUTES = {ROUTE, "/static/<path:filename>"}
BODY = b'{"data": ["1", "2"]}'
ANSWER = b"3\n"
REQUEST = post(BODY, target=ROUTE)

# A body that the application refuses, with the status.
BAD_BODY, BAD_STATUS = b'{"data": [true]}', 422

# The keys that app/sums declares for the line of every request.
KEYS = ("numbers",)

# A method that the route refuses.
WRONG_METHOD = "PUT"


def request(*headers: str) -> bytes:
    """Make the bytes of the request, with further headers."""
    return post(BODY, *headers, target=ROUTE)
