"""Settings of the service, read from the environment and nowhere else."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ADDRESS = "0.0.0.0"  # noqa: S104 - a container and a virtual machine are reached from outside
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
LOG_FORMATS = ("auto", "json", "console")


class SettingError(Exception):
    """A variable of the environment has a value that is not accepted."""

    def __init__(self, variable: str, value: str, accepted: str) -> None:
        super().__init__(f"{variable} is {value!r}, but must be {accepted}")
        self.variable = variable
        self.value = value
        self.accepted = accepted


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator can choose; README.md has the table of the variables."""

    port: int
    metrics_port: int
    workers: int
    threads: int
    log_level: str
    log_format: str
    max_body_bytes: int
    graceful_timeout: int
    drain_seconds: int
    forwarded_allow_ips: str
    revision: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], cpus: Callable[[], int]) -> "Settings":
        """Read all settings, or raise SettingError for the first bad one. An empty value counts as none."""
        settings = cls(
            port=_integer(environ, "PORT", 5000, 1, 65535),
            metrics_port=_integer(environ, "METRICS_PORT", 9464, 1, 65535),
            workers=_integer(environ, "WEB_CONCURRENCY", 0, 1, 256) or cpus(),
            threads=_integer(environ, "THREADS", 1, 1, 64),
            log_level=_choice(environ, "LOG_LEVEL", "info", LOG_LEVELS),
            log_format=_choice(environ, "LOG_FORMAT", "auto", LOG_FORMATS),
            max_body_bytes=_integer(environ, "MAX_BODY_BYTES", 1024 * 1024, 1, 64 * 1024 * 1024),
            graceful_timeout=_integer(environ, "GRACEFUL_TIMEOUT", 8, 1, 3600),
            drain_seconds=_integer(environ, "DRAIN_SECONDS", 0, 0, 3600),
            forwarded_allow_ips=_networks(environ, "FORWARDED_ALLOW_IPS", "127.0.0.1,::1"),
            revision=environ.get("REVISION") or "unknown",
        )
        if settings.metrics_port == settings.port:
            raise SettingError("METRICS_PORT", str(settings.metrics_port), f"another port than PORT, {settings.port}")
        return settings


def _integer(environ: Mapping[str, str], variable: str, default: int, lowest: int, highest: int) -> int:
    text = environ.get(variable)
    if not text:
        return default
    # int() also takes "1_000", " 5" and the digits of every script.
    if text.isascii() and text.isdigit() and len(text) <= len(str(highest)) and lowest <= int(text) <= highest:
        return int(text)
    raise SettingError(variable, text, f"a whole number from {lowest} to {highest}")


def _choice(environ: Mapping[str, str], variable: str, default: str, accepted: tuple[str, ...]) -> str:
    text = environ.get(variable) or default
    if text not in accepted:
        raise SettingError(variable, text, "one of " + ", ".join(accepted))
    return text


def _networks(environ: Mapping[str, str], variable: str, default: str) -> str:
    text = environ.get(variable) or default
    if text != "*":
        for network in text.split(","):
            try:
                ipaddress.ip_network(network.strip())
            except ValueError:
                raise SettingError(variable, text, "* or IP addresses and networks, with commas between them") from None
    return text
