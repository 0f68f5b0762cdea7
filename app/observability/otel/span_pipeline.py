"""The path of spans to the collector: a thread sends them in batches, so that no request waits."""

import logging
from collections.abc import Mapping
from pathlib import Path
from threading import Thread

import requests
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider, sampling

from app.observability.otel.span_drops import SpanDrops
from app.observability.otel.span_queue import SpanQueue
from app.observability.trace_settings import TraceSettings

COMPRESSIONS = {"none": Compression.NoCompression, "gzip": Compression.Gzip}
STOPPED = "the worker has stopped before they were sent"


class HashedResource(Resource):
    """A resource with a stored hash: the exporter asks for it for each span, and the SDK encodes JSON to compute it."""

    def __init__(self, attributes: Mapping[str, str]) -> None:
        resource = Resource.create(attributes)
        super().__init__(resource.attributes, resource.schema_url)
        self._hash = super().__hash__()

    def __hash__(self) -> int:
        return self._hash


class SpanPipeline:
    """Sends the spans of this process: those of requests, and those that views make with `opentelemetry.trace`."""

    def __init__(self, settings: TraceSettings, folder: Path) -> None:
        # The API logs every bad `tracestate`, with which clients could fill the log.
        logging.getLogger("opentelemetry.trace").setLevel(logging.ERROR)
        exporter = OTLPSpanExporter(
            settings.endpoint,
            headers=settings.headers,
            timeout=settings.timeout,
            compression=COMPRESSIONS[settings.compression],
            session=None if settings.has_credential_provider else _session(),
        )
        self._drops = SpanDrops(folder)
        resource = HashedResource(settings.resource)
        self.sampler = _sampler(settings)
        self.queue = SpanQueue(exporter, resource, self._drops)
        self._provider = TracerProvider(self.sampler, resource, shutdown_on_exit=False)
        self._provider.add_span_processor(self.queue)
        trace.set_tracer_provider(self._provider)

    def stop(self, seconds: float) -> None:
        """Send the remaining spans for at most this number of seconds, and drop the rest."""
        # The SDK waits for up to 30 s, and has no parameter for it.
        shutdown = Thread(target=self._provider.shutdown, daemon=True)
        shutdown.start()
        shutdown.join(seconds)
        unsent = self.queue.give_up()
        self._drops.end()
        if unsent:
            self._drops.add(unsent, STOPPED)
            self._drops.end()


def _session() -> requests.Session:
    session = requests.Session()
    session.hooks["response"] = [_refuse_redirect]
    return session


def _refuse_redirect(response: requests.Response, **_: object) -> None:
    # The exporter does not follow it, and takes it for a success.
    if 300 <= response.status_code < 400:  # noqa: PLR2004 - redirections
        response.close()
        target = response.headers.get("Location", "nowhere").split("?")[0]  # A token may follow.
        raise requests.HTTPError(f"{response.status_code} {response.reason}, redirected to {target}")


def _sampler(settings: TraceSettings) -> sampling.Sampler:
    samplers: dict[str, sampling.Sampler] = {
        "always_on": sampling.ALWAYS_ON,
        "always_off": sampling.ALWAYS_OFF,
        "parentbased_always_on": sampling.DEFAULT_ON,
        "parentbased_always_off": sampling.DEFAULT_OFF,
        "traceidratio": sampling.TraceIdRatioBased(settings.ratio),
        "parentbased_traceidratio": sampling.ParentBasedTraceIdRatio(settings.ratio),
    }
    return samplers[settings.sampler]
