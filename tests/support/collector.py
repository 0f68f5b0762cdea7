"""An OTLP/HTTP collector for the tests, on the official protobuf package: it keeps spans, and answers as it is told."""

import gzip
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.support.service import LIMIT_SECONDS

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

PATH = "/v1/traces"
TYPE = "application/x-protobuf"


@dataclass(frozen=True)
class Answer:
    """How a batch is answered: with a status, or by a reset of the connection; late, if `waits`, when it is told to."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    resets: bool = False
    waits: bool = False


RESET = Answer(resets=True)
LATE = Answer(waits=True)


class Collector:
    """A collector that listens. `received` has the headers of each batch, `spans` those that it has answered 200."""

    def __init__(self, *, keeps: bool = True) -> None:
        self.received: list[dict[str, str]] = []
        self.spans: list[Span] = []
        self.resources: list[dict[str, str]] = []
        self.answers: list[Answer] = []  # Those of the next batches.
        self.default = Answer()  # That of all others.
        self.answers_now = Event()
        self.lock = Lock()
        self.keeps = keeps
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"collector": self}))
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"

    def keep(self, body: bytes) -> None:
        """Keep the spans of a batch."""
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(attributes(resource.resource))
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]


class _Handler(BaseHTTPRequestHandler):
    collector: Collector
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take a batch."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        collector = self.collector
        with collector.lock:
            collector.received.append({name.lower(): value for name, value in self.headers.items()})
            answer = collector.answers.pop(0) if collector.answers else collector.default
        if answer.waits:
            collector.answers_now.wait(LIMIT_SECONDS)
        if answer.resets:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        if answer.status == 200 and self.collector.keeps:
            assert (self.path, TYPE) == (PATH, self.headers["Content-Type"])
            is_gzip = self.headers.get("Content-Encoding") == "gzip"
            with collector.lock:
                collector.keep(gzip.decompress(body) if is_gzip else body)
        response = ExportTraceServiceResponse().SerializeToString()
        self.send_response(answer.status)
        for name, value in {"Content-Type": TYPE, "Content-Length": str(len(response)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def attributes(bearer: Any) -> dict[str, Any]:
    """Return the attributes of a span or of a resource, with the values that they bear."""
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in bearer.attributes}


@contextmanager
def collecting(*, keeps: bool = True) -> Iterator[Collector]:
    """Run a collector; without `keeps`, it only answers."""
    collector = Collector(keeps=keeps)
    thread = Thread(target=collector.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.answers_now.set()
        collector.server.shutdown()
        collector.server.server_close()
        thread.join()
