"""The logger of gunicorn, made to fit in with the others."""

from gunicorn.config import Config
from gunicorn.glogging import Logger


class GunicornLogger(Logger):  # type: ignore[misc]
    """The logger of gunicorn, with its handlers and formats taken out: its lines take the way of all others."""

    def setup(self, cfg: Config) -> None:
        """Leave the lines to the handler of the root logger."""
        self.cfg = cfg
        self.error_log.propagate = True
        self._access_log_enabled = False  # The one measuring point writes the line of a request.
