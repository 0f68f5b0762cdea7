"""The way of the spans to the collector: in batches, by a thread, and never at the cost of a request."""

import logging
from collections.abc import Mapping
from pathlib import Path
from threading import Thread

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
    """A resource that knows its hash: the exporter asks for it for each span, and the SDK writes JSON to make it."""

    def __init__(self, attributes: Mapping[str, str]) -> None:
        resource = Resource.create(attributes)
        super().__init__(resource.attributes, resource.schema_url)
        self._hash = super().__hash__()

    def __hash__(self) -> int:
        return self._hash


class SpanPipeline:
    """Sends the spans of this process: those of requests, and those that views make by `opentelemetry.trace`."""

    def __init__(self, settings: TraceSettings, folder: Path) -> None:
        # What the API says of a bad `tracestate` comes from clients, who could fill the log with it.
        logging.getLogger("opentelemetry.trace").setLevel(logging.ERROR)
        exporter = OTLPSpanExporter(
            settings.endpoint,
            headers=settings.headers,
            timeout=settings.timeout,
            compression=COMPRESSIONS[settings.compression],
        )
        self._drops = SpanDrops(folder)
        resource = HashedResource(settings.resource)
        self.sampler = _sampler(settings)
        self.queue = SpanQueue(exporter, resource, self._drops)
        self._provider = TracerProvider(self.sampler, resource, shutdown_on_exit=False)
        self._provider.add_span_processor(self.queue)
        trace.set_tracer_provider(self._provider)

    def stop(self, seconds: float) -> None:
        """Send what is left, for this number of seconds at most; the rest is dropped."""
        # The SDK waits for up to 30 s, and takes no other number.
        shutdown = Thread(target=self._provider.shutdown, daemon=True)
        shutdown.start()
        shutdown.join(seconds)
        if self.queue.unsent:
            self._drops.add(self.queue.unsent, STOPPED)


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
