"""Traces, switched on and off."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace

from app.observability import traces
from app.settings import SettingError
from tests.support.collector import Collector

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

VARIABLES = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]


def test_off_by_default() -> None:
    """Without a variable there is no setting, no span is asked for, and there is nothing to stop."""
    assert (None, None) == (traces.settings_from({}), traces.request_spans)
    traces.stop(0.0)


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("missing", traces.PACKAGES)
def test_missing_packages(monkeypatch: pytest.MonkeyPatch, variable: str, missing: str) -> None:
    """Where a package is missing, the variable that asks for it is named, and how to install it."""

    def import_module(name: str) -> None:
        if name == missing:
            raise ImportError(name)

    monkeypatch.setattr(traces, "import_module", import_module)
    with pytest.raises(SettingError) as caught:
        traces.settings_from({variable: "http://collector:4318"})
    assert (variable, "http://collector:4318") == (caught.value.variable, caught.value.value)
    assert "make run OTEL=1, docker build --build-arg OTEL=yes, or pip install" in str(caught.value)


def test_a_limit_that_the_sdk_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad value that only the SDK reads is told as all others are."""
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SPAN_EVENT_COUNT_LIMIT": "many"}
    monkeypatch.setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "many")
    with pytest.raises(SettingError) as caught:
        traces.settings_from(environ)
    assert "OTEL_SPAN_EVENT_COUNT_LIMIT is 'many', but must be a whole number" == str(caught.value)


def test_packages_are_not_asked_for_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without traces, no package is imported."""
    monkeypatch.setattr(traces, "import_module", None)
    assert traces.settings_from({"OTEL_SERVICE_NAME": "a"}) is None


def test_start_and_stop(collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the start on there is what makes spans, of the tracer that views get, too; the stop sends what is left."""
    intervals: list[float] = []
    monkeypatch.setattr(sys, "setswitchinterval", intervals.append)
    providers: list[TracerProvider] = []
    monkeypatch.setattr(trace, "set_tracer_provider", providers.append)
    monkeypatch.setattr(traces, "request_spans", None)
    monkeypatch.setattr(traces, "_pipeline", None)
    settings = traces.settings_from({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint})
    assert settings is not None
    traces.start(settings, tmp_path)
    assert traces.request_spans is not None
    (provider,) = providers
    provider.get_tracer("a view").start_span("child").end()
    traces.stop(20.0)
    assert ["child"] == [span.name for span in collector.spans]
    assert [traces.SWITCH_SECONDS] == intervals
