"""gunicorn's logger, adapted to log like all others."""

from gunicorn.config import Config
from gunicorn.glogging import Logger

from app.observability.logs import forward


class GunicornLogger(Logger):  # type: ignore[misc]
    """gunicorn's logger without handlers and formats of its own."""

    def setup(self, cfg: Config) -> None:
        """Pass the lines on to the service's own."""
        self.cfg = cfg
        forward(self.error_log.name)
        self._access_log_enabled = False  # The middleware logs the requests.
