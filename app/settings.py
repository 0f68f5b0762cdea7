"""Settings of the service, read from the environment and nowhere else."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

VARIABLES = (
    *("PORT", "METRICS_PORT", "BIND", "WEB_CONCURRENCY", "THREADS", "LOG_LEVEL", "LOG_FORMAT", "MAX_BODY_BYTES"),
    *("KEEP_ALIVE", "GRACEFUL_TIMEOUT", "DRAIN_SECONDS", "FORWARDED_ALLOW_IPS", "REVISION"),
)
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
LOG_FORMATS = ("auto", "json", "console")


class SettingError(Exception):
    """An environment variable has a value that is not accepted."""

    def __init__(self, variable: str, value: str, accepted: str) -> None:
        super().__init__(f"{variable} is {value!r}, but must be {accepted}")
        self.variable = variable
        self.value = value
        self.accepted = accepted


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that an operator can choose; docs/reference/settings.md lists the variables.

    An empty `bind` means all addresses of the machine, and `workers` is None for one worker per usable CPU.
    """

    port: int
    metrics_port: int
    bind: tuple[str, ...]
    workers: int | None
    threads: int
    log_level: str
    log_format: str
    max_body_bytes: int
    keep_alive: int
    graceful_timeout: int
    drain_seconds: int
    forwarded_allow_ips: str
    revision: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Read all settings, or raise SettingError for the first bad one. An empty value counts as unset."""
        settings = cls(
            port=read_integer(environ, "PORT", 5000, 1, 65535),
            metrics_port=read_integer(environ, "METRICS_PORT", 9464, 1, 65535),
            bind=_addresses(environ, "BIND"),
            workers=read_integer(environ, "WEB_CONCURRENCY", 0, 1, 256) or None,
            threads=read_integer(environ, "THREADS", 1, 1, 64),
            log_level=read_choice(environ, "LOG_LEVEL", "info", LOG_LEVELS),
            log_format=read_choice(environ, "LOG_FORMAT", "auto", LOG_FORMATS),
            max_body_bytes=read_integer(environ, "MAX_BODY_BYTES", 1024 * 1024, 1, 64 * 1024 * 1024),
            keep_alive=read_integer(environ, "KEEP_ALIVE", 75, 1, 3600),
            graceful_timeout=read_integer(environ, "GRACEFUL_TIMEOUT", 8, 1, 3600),
            drain_seconds=read_integer(environ, "DRAIN_SECONDS", 0, 0, 3600),
            forwarded_allow_ips=_networks(environ, "FORWARDED_ALLOW_IPS", "127.0.0.1,::1"),
            revision=read_text(environ, "REVISION", "unknown"),
        )
        if settings.metrics_port == settings.port:
            raise SettingError("METRICS_PORT", str(settings.metrics_port), f"another port than PORT, {settings.port}")
        return settings


def read_text(environ: Mapping[str, str], variable: str, default: str) -> str:
    """Read text that is safe in a log line and a label, or raise SettingError."""
    text = environ.get(variable) or default
    # Bytes that are not UTF-8 arrive as surrogates. Neither surrogates nor line breaks belong in a log line or a label.
    if not text.isprintable():
        raise SettingError(variable, text, "printable text in UTF-8")
    return text


def read_integer(environ: Mapping[str, str], variable: str, default: int, lowest: int, highest: int) -> int:
    """Read a whole number within its bounds, or raise SettingError."""
    text = environ.get(variable)
    if not text:
        return default
    # int() also accepts "1_000", " 5" and the digits of every script.
    if text.isascii() and text.isdigit() and len(text) <= len(str(highest)) and lowest <= int(text) <= highest:
        return int(text)
    raise SettingError(variable, text, f"a whole number from {lowest} to {highest}")


def read_choice(environ: Mapping[str, str], variable: str, default: str, accepted: tuple[str, ...]) -> str:
    """Read one of the accepted words, or raise SettingError."""
    text = environ.get(variable) or default
    if text not in accepted:
        raise SettingError(variable, text, "one of " + ", ".join(accepted))
    return text


def _addresses(environ: Mapping[str, str], variable: str) -> tuple[str, ...]:
    text = environ.get(variable)
    if not text:
        return ()
    try:
        addresses = tuple(str(ipaddress.ip_address(address.strip())) for address in text.split(","))
    except ValueError:
        raise SettingError(variable, text, "IP addresses of this machine, with commas between them") from None
    ipv4 = [address for address in addresses if ":" not in address]
    is_double = ("::" in addresses and len(addresses) > 1) or ("0.0.0.0" in ipv4 and len(ipv4) > 1)  # noqa: S104 - refused
    if is_double or len(set(addresses)) < len(addresses):
        raise SettingError(variable, text, "different addresses (:: includes all, and 0.0.0.0 all of IPv4)")
    return addresses


def _networks(environ: Mapping[str, str], variable: str, default: str) -> str:
    text = environ.get(variable) or default
    if text != "*":
        for network in text.split(","):
            try:
                ipaddress.ip_network(network.strip())
            except ValueError:
                raise SettingError(variable, text, "* or IP addresses and networks, with commas between them") from None
    return text
