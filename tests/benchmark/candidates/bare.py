"""The limit: a WSGI function without a framework, without logs, without metrics, that takes nothing but integers."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


class Numbers(msgspec.Struct):
    """The body of a request."""

    data: list[int]


decoder = msgspec.json.Decoder(Numbers, strict=False)


def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Add integers."""
    body = b"%d\n" % sum(decoder.decode(environ["wsgi.input"].read()).data)
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
