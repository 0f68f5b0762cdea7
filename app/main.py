"""The start of the service: settings, logs, ports, and then the server."""

import socket
from collections.abc import MutableMapping
from typing import TextIO

import structlog

from app.cpus import usable_cpus
from app.log_output import LogOutput
from app.logs import configure_logs
from app.settings import ADDRESS, SettingError, Settings

# EX_CONFIG, EX_UNAVAILABLE and EX_CANTCREAT of sysexits.h: a supervisor can tell them from a crash.
BAD_SETTING = 78
PORT_TAKEN = 69
CANNOT_CREATE = 73


def main(environ: MutableMapping[str, str], stdout: TextIO) -> int:
    """Run the service until it is told to stop; the README lists the exit statuses."""
    output = LogOutput(stdout)
    configure_logs("info", "auto", output)
    try:
        settings = Settings.from_environ(environ, usable_cpus)
    except SettingError as error:
        structlog.get_logger().critical(f"bad setting: {error}", variable=error.variable)
        return BAD_SETTING
    configure_logs(settings.log_level, settings.log_format, output)
    # gunicorn reads this variable when it is imported, and dies of what it does not understand.
    environ["WEB_CONCURRENCY"] = str(settings.workers)
    from app.server import Server  # noqa: PLC0415

    for variable, port in (("PORT", settings.port), ("METRICS_PORT", settings.metrics_port)):
        try:
            _try_to_bind(port)
        except OSError as error:
            # On a Mac, port 5000 belongs to the AirPlay Receiver. gunicorn would try five times and not say what to do.
            structlog.get_logger().critical(
                f"port {port} cannot be used: {error.strerror}; choose another, as in {variable}={port % 65535 + 1}",
                variable=variable,
            )
            return PORT_TAKEN
    try:
        server = Server(settings)
    except OSError as error:
        structlog.get_logger().critical(f"no room for the metrics in {error.filename}: {error.strerror}")
        return CANNOT_CREATE
    output.count_dropped = server.metrics.line_dropped
    server.run()
    return 0


def _try_to_bind(port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((ADDRESS, port))
