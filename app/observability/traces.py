"""Traces, if OpenTelemetry's variables ask for them; otherwise nothing imports OpenTelemetry."""

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from app.observability.trace_settings import TraceSettings
from app.settings import SettingError

if TYPE_CHECKING:
    from app.observability.otel.request_spans import RequestSpans
    from app.observability.otel.span_pipeline import SpanPipeline

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
# Imported before the fork, so that the workers share their memory. The exporter itself imports `requests` late.
PACKAGES = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter", "requests")
INSTALL = (
    "unset, or the packages of OpenTelemetry installed: make run OTEL=1, docker build --build-arg OTEL=yes, "
    "or pip install --require-hashes --requirement requirements-otel.lock"
)

# How long the thread that encodes spans may keep the interpreter from requests. With Python's default of 5 ms, p99
# meanwhile was 12 ms; with 1 ms it was 7 ms, for no more CPU time.
SWITCH_SECONDS = 0.001

# The middleware asks this to make the span of a request. None: there are no traces.
request_spans: "RequestSpans | None" = None

_pipeline: "SpanPipeline | None" = None


def settings_from(environ: Mapping[str, str]) -> TraceSettings | None:
    """Read the settings; None if traces are not requested. Raises SettingError if they cannot work."""
    settings = TraceSettings.from_environ(environ)
    if settings is not None:
        variable = next(name for name in ENDPOINTS if environ.get(name))
        try:
            for package in PACKAGES:
                import_module(package)
            import_module(PACKAGES[0]).SpanLimits()
        except ImportError:
            raise SettingError(variable, environ[variable], INSTALL) from None
        except ValueError as error:  # From a limit that the SDK reads itself; its name begins the message.
            variable = str(error).partition(" ")[0]
            raise SettingError(variable, environ.get(variable, ""), "a whole number") from None
    return settings


def start(settings: TraceSettings, folder: Path) -> None:
    """Make spans in this process from here on. Each worker calls this, since threads do not survive a fork.

    `folder` must be writable, and shared by all processes of the server.
    """
    global request_spans, _pipeline  # noqa: PLW0603 - one per process, like OpenTelemetry's own
    from app.observability.otel.request_spans import RequestSpans  # noqa: PLC0415
    from app.observability.otel.span_pipeline import SpanPipeline  # noqa: PLC0415

    sys.setswitchinterval(SWITCH_SECONDS)
    _pipeline = SpanPipeline(settings, folder)
    request_spans = RequestSpans(_pipeline.sampler, _pipeline.queue)


def stop(seconds: float) -> None:
    """Send the remaining spans for at most this number of seconds."""
    if _pipeline is not None:
        _pipeline.stop(seconds)
