"""The settings of traces: every variable, what it is by default, and what it accepts."""

from typing import Any

import pytest

from app.observability.trace_settings import VARIABLES, TraceSettings
from app.settings import SettingError
from app.version import __version__

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
GENERAL = {
    "OTEL_EXPORTER_OTLP_HEADERS": "a=a",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "20",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
}
PAIRS = "pairs such as deployment.environment.name=production, with commas between them"
HEADERS = "pairs such as api-key=secret, with commas between them"
SAMPLERS = [
    *("parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"),
    *("always_on", "always_off", "traceidratio"),
]


def read(**environ: str) -> TraceSettings:
    """Read settings that ask for traces."""
    settings = TraceSettings.from_environ(ENDPOINT | environ)
    assert settings is not None
    return settings


def test_defaults() -> None:
    """With no more than a collector, the rest is what OpenTelemetry's specification says."""
    expected = TraceSettings(
        endpoint="http://collector:4318/v1/traces",
        headers={},
        timeout=10,
        compression="none",
        resource={"service.name": "flask_app", "service.version": __version__},
        sampler="parentbased_always_on",
        ratio=1.0,
        has_credential_provider=False,
    )
    assert expected == read()
    assert expected == read(**dict.fromkeys(set(VARIABLES) - ENDPOINT.keys(), ""))


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_SERVICE_NAME": "a"},
        *(ENDPOINT | {"OTEL_SDK_DISABLED": value} for value in ("true", "TRUE", "True")),
        ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_off(environ: dict[str, str]) -> None:
    """There are no traces without a collector, nor where the SDK is disabled."""
    assert TraceSettings.from_environ(environ) is None


PROTOCOLS = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")


@pytest.mark.parametrize(
    ("environ", "refused"),
    [
        ({PROTOCOLS[0]: "http/protobuf"}, None),
        ({PROTOCOLS[0]: "grpc", PROTOCOLS[1]: "http/protobuf"}, None),
        ({PROTOCOLS[0]: "grpc"}, PROTOCOLS[0]),
        ({PROTOCOLS[0]: "http/protobuf", PROTOCOLS[1]: "http/json"}, PROTOCOLS[1]),
    ],
)
def test_protocol(environ: dict[str, str], refused: str | None) -> None:
    """A protocol that the service does not speak is refused where there are traces, and else is for other programs."""
    assert TraceSettings.from_environ(environ) is None
    if refused is None:
        read(**environ)
        return
    with pytest.raises(SettingError) as caught:
        read(**environ)
    assert f"{refused} is {environ[refused]!r}, but must be one of http/protobuf" == str(caught.value)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4318/"}, "http://a:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://a/prefix"}, "https://a/prefix/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b/traces"}, "http://b/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://[::1]:1"}, "http://[::1]:1"),
    ],
)
def test_endpoint(environ: dict[str, str], expected: str) -> None:
    """The collector's address gets the path of OTLP; an address for traces alone is taken as it is."""
    assert expected == read(**environ).endpoint


@pytest.mark.parametrize(
    ("variable", "value", "member", "expected"),
    [
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b", "headers", {"a": "b"}),
        ("OTEL_EXPORTER_OTLP_HEADERS", " a = b%20c , x-y=1=2,", "headers", {"a": "b c", "x-y": "1=2"}),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1", "timeout", 1),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "600", "timeout", 600),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", "compression", "gzip"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=c", "headers", {"a": "c"}),
        ("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "cloud", "has_credential_provider", True),
        ("OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER", "cloud", "has_credential_provider", True),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "30", "timeout", 30),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip", "compression", "gzip"),
        ("OTEL_TRACES_SAMPLER_ARG", "0", "ratio", 0.0),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25", "ratio", 0.25),
        ("OTEL_TRACES_SAMPLER_ARG", ".5", "ratio", 0.5),
        ("OTEL_TRACES_SAMPLER_ARG", "1.0", "ratio", 1.0),
        *(("OTEL_TRACES_SAMPLER", sampler, "sampler", sampler) for sampler in SAMPLERS),
        ("OTEL_TRACES_EXPORTER", "otlp", "sampler", SAMPLERS[0]),
        *(("OTEL_SDK_DISABLED", value, "sampler", SAMPLERS[0]) for value in ("false", "False", "")),
    ],
)
def test_accepted(variable: str, value: str, member: str, expected: Any) -> None:
    """A good value is taken over; one for traces alone wins."""
    assert expected == getattr(read(**GENERAL | {variable: value}), member)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"OTEL_SERVICE_NAME": "shop"}, {"service.name": "shop"}),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,b=c%2Cd"}, {"service.name": "a", "b": "c,d"}),
        ({"OTEL_SERVICE_NAME": "shop", "OTEL_RESOURCE_ATTRIBUTES": "service.name=a"}, {"service.name": "shop"}),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.version=7"}, {"service.version": "7", "service.name": "flask_app"}),
    ],
)
def test_resource(environ: dict[str, str], expected: dict[str, str]) -> None:
    """The attributes of the resource are taken over; the variable for the service's name wins."""
    assert {"service.version": __version__} | expected == read(**environ).resource


@pytest.mark.parametrize(
    ("variable", "value", "accepted"),
    [
        *(
            (variable, value, f"a URL such as http://collector:4318{path}")
            for variable, path in (
                ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
                ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/v1/traces"),
            )
            for value in (
                "collector:4318",
                "grpc://a:1",
                "http://",
                "http://a:0",
                "http://a:x",
                "http://[a",
                "http://a\n",
            )
        ),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a b", "a URL such as http://collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318?x=1", "a URL such as http://collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318#x", "a URL such as http://collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://ä", "a URL such as http://collector:4318"),
        *(
            ("OTEL_EXPORTER_OTLP_TIMEOUT", value, "a whole number from 1 to 600")
            for value in ("0", "601", "10000", "1.5", "ten")
        ),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip", "one of none, gzip"),
        *(("OTEL_RESOURCE_ATTRIBUTES", value, PAIRS) for value in ("a", "=b", "a=b,c", "a=%0A")),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=\n", "printable text in UTF-8"),
        ("OTEL_SERVICE_NAME", "a\nb", "printable text in UTF-8"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "one of " + ", ".join(SAMPLERS)),
        *(
            ("OTEL_TRACES_SAMPLER_ARG", value, "a number from 0 to 1")
            for value in ("1.1", "-0.1", "1e-3", "half", " 1", ".", "2", "0,5")
        ),
        *(("OTEL_TRACES_EXPORTER", value, "one of otlp, none") for value in ("console", "otlp,console")),
        *(("OTEL_SDK_DISABLED", value, "one of true, false") for value in ("yes", "1", "Yes")),
    ],
)
@pytest.mark.parametrize("others", [ENDPOINT, {}], ids=["on", "off"])
def test_rejected(variable: str, value: str, accepted: str, others: dict[str, str]) -> None:
    """A bad value is refused, also where it does not matter, by a message that names variable, value and what goes."""
    with pytest.raises(SettingError) as caught:
        TraceSettings.from_environ(others | {variable: value})
    assert f"{variable} is {value!r}, but must be {accepted}" == str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        "secret",
        "=secret",
        "a b=secret",
        "a=secret%0Ax: y",
        "a=secret,\u00e4=b",
        "a=\u00e4",
        "a=%20secret",
        "a=secret%20",
    ],
)
def test_rejected_headers_are_not_shown(value: str) -> None:
    """What is to be a header is refused without being told: it may hold a password."""
    with pytest.raises(SettingError) as caught:
        read(OTEL_EXPORTER_OTLP_HEADERS=value)
    assert f"OTEL_EXPORTER_OTLP_HEADERS is '(not shown)', but must be {HEADERS}" == str(caught.value)
