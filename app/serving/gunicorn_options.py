"""gunicorn's options that have no effect here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gunicorn.config import Config

# Whichever worker serves: where lines go is decided by standard output, and which ones by LOG_LEVEL. A worker that
# --reload starts again is forked from the master, which has loaded the application before.
UNUSED = (
    *("accesslog", "access_log_format", "errorlog", "loglevel", "logconfig", "logconfig_json", "capture_output"),
    *("syslog", "statsd_host", "reload"),
)

# Our worker has limits of its own, and its peers from FORWARDED_ALLOW_IPS.
UNUSED_BY_OUR_WORKER = (
    *("worker_connections", "limit_request_line", "limit_request_fields", "limit_request_field_size"),
    *("forwarded_allow_ips", "proxy_protocol", "http_protocols", "http2_cleartext"),
)


def without_effect(configuration: "Config", names: Sequence[str]) -> list[str]:
    """List those options that are set, as the command line spells them."""
    # Its class is not imported here: gunicorn may be only once WEB_CONCURRENCY is a number.
    defaults = type(configuration)().settings
    settings = [configuration.settings[name] for name in names]
    return [setting.cli[0] for setting in settings if setting.get() != defaults[setting.name].get()]
