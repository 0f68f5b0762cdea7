"""gunicorn's logger, adapted to log like all others."""

from gunicorn.config import Config
from gunicorn.glogging import Logger


class GunicornLogger(Logger):  # type: ignore[misc]
    """gunicorn's logger without handlers and formats of its own."""

    def setup(self, cfg: Config) -> None:
        """Pass the lines on to the root logger's handler."""
        self.cfg = cfg
        self.error_log.propagate = True
        self._access_log_enabled = False  # The middleware logs the requests.

    def reopen_files(self) -> None:
        """Do nothing on SIGUSR1: with `--capture-output`, gunicorn would replace standard output by a file."""
