"""Requests for sums, for the tests of the sum itself: they go with app/sums."""

from functools import partial

from tests.support import http_client

post = partial(http_client.post, target="/")
post_chunked = partial(http_client.post_chunked, target="/")
