"""The start of the server, until gunicorn takes over."""

import errno
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NoReturn, TextIO

from app.observability import traces
from app.observability.captured_output import capture_output
from app.observability.log_output import LogOutput
from app.observability.logs import configure_logs, emit
from app.serving.addresses import addresses, listen_on_all
from app.serving.descriptors import connections_within_limit
from app.serving.hooks import SHARED_MEMORY, Hooks
from app.serving.http.limits import Limits
from app.serving.metrics_server import MetricsServer
from app.serving.standard_streams import standard_output
from app.settings import SettingError, Settings

# EX_UNAVAILABLE, EX_CANTCREAT and EX_CONFIG of sysexits.h: a supervisor can tell them from a crash.
PORT_TAKEN = 69
CANNOT_CREATE = 73
BAD_SETTING = 78

# The workers of a master that was killed notice it within a second or two, and close the ports.
PATIENCE_SECONDS = 4.0


_prepared: Hooks | None = None


def hooks() -> Hooks:
    """Return what prepare() has made in this process, or else prepare it from the environment.

    This happens once: on SIGHUP gunicorn reads its configuration again, and the metrics must survive that.
    """
    return _prepared or prepare(os.environ, standard_output(sys.stdout))


def limits_for(settings: Settings) -> Limits:
    """Return the limits of the HTTP server for these settings, on this system."""
    limits = Limits(settings.max_body_bytes, settings.keep_alive)
    return replace(limits, connections=connections_within_limit(limits.connections))


def prepare(  # noqa: PLR0913 - each but the first two has a default
    environ: Mapping[str, str],
    stdout: TextIO,
    *,
    limits: Callable[[Settings], Limits] = limits_for,
    shared_memory: Path = SHARED_MEMORY,
    slots: int | None = None,
    metrics_server: type[MetricsServer] = MetricsServer,
) -> Hooks:
    """Read the settings, configure the logs, check the ports and create the metric files.

    Raises SystemExit with a status of docs/reference/exit-statuses.md, after one line that says what is wrong.
    """
    global _prepared  # noqa: PLW0603 - gunicorn executes its configuration file, and can pass nothing to it
    output = LogOutput(stdout)
    configure_logs("info", "auto", output, environ)
    capture_output()
    try:
        settings = Settings.from_environ(environ)
        trace_settings = traces.settings_from(environ)
    except SettingError as error:
        _exit(BAD_SETTING, f"bad setting: {error}", error.variable)
    configure_logs(settings.log_level, settings.log_format, output, environ)
    for variable, port in (("PORT", settings.port), ("METRICS_PORT", settings.metrics_port)):
        _check_port(variable, port, settings)
    try:
        _prepared = Hooks(
            settings,
            limits(settings),
            shared_memory,
            slots,
            metrics_server=metrics_server,
            trace_settings=trace_settings,
        )
    except OSError as error:
        if error.filename is None:  # Another program was quicker to take the port that was checked above.
            _exit(PORT_TAKEN, f"cannot listen on port {settings.metrics_port}: {error.strerror}", "METRICS_PORT")
        _exit(CANNOT_CREATE, f"cannot create the metric files in {error.filename}: {error.strerror}")
    output.count_dropped = _prepared.count_dropped_line
    os.register_at_fork(after_in_child=output.renew_lock)
    return _prepared


def _check_port(variable: str, port: int, settings: Settings) -> None:
    # gunicorn would try five times and not say what to do. On a Mac, the AirPlay Receiver uses port 5000.
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            for listener in listen_on_all(addresses(settings.bind), port):
                listener.close()
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < until:
                time.sleep(0.1)
                continue
            if settings.bind and error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                where = ", ".join(settings.bind)
                _exit(PORT_TAKEN, f"cannot listen on {where}: {error.strerror}; set BIND to this machine's own", "BIND")
            _exit(
                PORT_TAKEN, f"cannot listen on port {port}: {error.strerror}; set {variable} to another port", variable
            )
        return


def _exit(status: int, event: str, variable: str | None = None) -> NoReturn:
    emit(logging.CRITICAL, {"event": event, **({"variable": variable} if variable else {})})
    sys.exit(status)
