"""The settings of traces: OpenTelemetry's own variables."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from app.settings import SettingError, read_choice, read_integer, read_text
from app.version import __version__

# The variable for all signals, and the one for traces alone, which wins.
ALL, TRACES = "OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_"
VARIABLES = (
    *(kind + name for name in ("ENDPOINT", "HEADERS", "TIMEOUT", "COMPRESSION", "PROTOCOL") for kind in (ALL, TRACES)),
    *("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"),
    *("OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED"),
)
PROTOCOL = "http/protobuf"
# OpenTelemetry reads these itself: they name a package that makes the connections.
CREDENTIAL_PROVIDERS = (
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER",
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER",
)
COMPRESSIONS = ("none", "gzip")
SAMPLERS = (
    *("parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"),
    *("always_on", "always_off", "traceidratio"),
)

# RFC 9110, section 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_RATIO = re.compile(r"0(\.[0-9]{1,9})?|1(\.0{1,9})?|\.[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class TraceSettings:
    """Where spans go, and which ones; docs/reference/settings.md has the table of the variables.

    `timeout` is in seconds. `ratio` is the share of traces to keep of those that begin here, if the sampler uses one.
    """

    endpoint: str
    headers: Mapping[str, str]
    timeout: int
    compression: str
    resource: Mapping[str, str]
    sampler: str
    ratio: float
    has_credential_provider: bool

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "TraceSettings | None":
        """Read all settings, or raise SettingError for the first bad one; None if traces are not requested."""
        collector = _url(environ, ALL + "ENDPOINT")
        settings = cls(
            endpoint=_url(environ, TRACES + "ENDPOINT")
            or (f"{collector.removesuffix('/')}/v1/traces" if collector else ""),
            headers=_headers(environ, _variable(environ, "HEADERS")),
            # In seconds, as in the Python SDK. The SDKs for other languages take milliseconds.
            timeout=read_integer(environ, _variable(environ, "TIMEOUT"), 10, 1, 600),
            compression=read_choice(environ, _variable(environ, "COMPRESSION"), "none", COMPRESSIONS),
            resource=_resource(environ, "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME"),
            sampler=read_choice(environ, "OTEL_TRACES_SAMPLER", SAMPLERS[0], SAMPLERS),
            ratio=_ratio(environ, "OTEL_TRACES_SAMPLER_ARG"),
            has_credential_provider=any(environ.get(name) for name in CREDENTIAL_PROVIDERS),
        )
        has_exporter = read_choice(environ, "OTEL_TRACES_EXPORTER", "otlp", ("otlp", "none")) == "otlp"
        is_disabled = _is_true(environ, "OTEL_SDK_DISABLED")
        if not (settings.endpoint and has_exporter) or is_disabled:
            return None
        # Spans sent to a collector's port for gRPC would all be dropped, and only a warning a minute would say so.
        read_choice(environ, _variable(environ, "PROTOCOL"), PROTOCOL, (PROTOCOL,))
        return settings


def _variable(environ: Mapping[str, str], name: str) -> str:
    return (TRACES if environ.get(TRACES + name) else ALL) + name


def _is_true(environ: Mapping[str, str], variable: str) -> bool:
    # OpenTelemetry's booleans may be in upper case.
    text = environ.get(variable) or "false"
    if text.lower() not in {"true", "false"}:
        raise SettingError(variable, text, "one of true, false")
    return text.lower() == "true"


def _url(environ: Mapping[str, str], variable: str) -> str:
    text = environ.get(variable) or ""
    try:
        url = urlsplit(text)
        is_valid = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
        if variable == ALL + "ENDPOINT":  # The path of OTLP is appended to it.
            is_valid = is_valid and not {"?", "#"} & {*text}
    except ValueError:
        is_valid = False
    if text and not (is_valid and text.isascii() and text.isprintable() and " " not in text):
        path = "/v1/traces" if variable == TRACES + "ENDPOINT" else ""
        raise SettingError(variable, text, f"a URL such as http://collector:4318{path}")
    return text


def _headers(environ: Mapping[str, str], variable: str) -> dict[str, str]:
    headers = _pairs(environ.get(variable) or "")
    # Do not show even a bad value: it may be a password.
    if headers is None or not all(
        _TOKEN.fullmatch(name) and value.isascii() and value.isprintable() and value == value.strip()
        for name, value in headers.items()
    ):
        raise SettingError(variable, "(not shown)", "pairs such as api-key=secret, with commas between them")
    return headers


def _resource(environ: Mapping[str, str], attributes: str, name: str) -> dict[str, str]:
    pairs = _pairs(read_text(environ, attributes, ""))
    if pairs is None or not all(map(str.isprintable, [*pairs, *pairs.values()])):
        accepted = "pairs such as deployment.environment.name=production, with commas between them"
        raise SettingError(attributes, environ[attributes], accepted)
    service = read_text(environ, name, pairs.get("service.name") or "flask_app")
    return {"service.version": __version__, **pairs, "service.name": service}


def _pairs(text: str) -> dict[str, str] | None:
    pairs: dict[str, str] = {}
    for pair in filter(str.strip, text.split(",")):
        key, separator, value = (part.strip() for part in pair.partition("="))
        if not (key and separator):
            return None
        pairs[key] = unquote(value)
    return pairs


def _ratio(environ: Mapping[str, str], variable: str) -> float:
    text = environ.get(variable) or "1"
    if not _RATIO.fullmatch(text):
        raise SettingError(variable, text, "a number from 0 to 1")
    return float(text)
