"""gunicorn, with this project's configuration and master process."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gunicorn.app.wsgiapp import WSGIApplication

from app.serving.arbiter import Arbiter
from app.serving.hooks import Hooks

CONFIGURATION = Path(__file__).resolve().parents[2] / "gunicorn.conf.py"


class Server(WSGIApplication):  # type: ignore[misc]
    """gunicorn, independent of the working directory and the command line."""

    def __init__(self, hooks: Hooks, settings: Mapping[str, Any]) -> None:
        self._hooks = hooks
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Load the configuration from gunicorn.conf.py, and not from a command line."""
        self.load_config_from_file(str(CONFIGURATION))
        for name, value in self._settings.items():
            self.cfg.set(name, value)
        self.app_uri = self.cfg.wsgi_app

    def run(self) -> None:
        """Run until told to stop; ends with SystemExit."""
        master = os.getpid()
        try:
            Arbiter(self, self._hooks).run()
        except SystemExit as end:
            # Shutting down a worker's interpreter cleanly costs 150 ms of CPU time, and changes nothing.
            if os.getpid() != master:
                os._exit(int(end.code or 0))
            raise
