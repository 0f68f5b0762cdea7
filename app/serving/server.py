"""gunicorn, with this project's configuration and master process."""

import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gunicorn.app.wsgiapp import WSGIApplication

from app.observability.logs import emit
from app.serving import worker_signals
from app.serving.arbiter import Arbiter
from app.serving.early_signals import EarlySignals
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
        arbiter: Arbiter | None = None
        try:
            arbiter = Arbiter(self, self._hooks, EarlySignals(worker_signals.STOPS, {signal.SIGHUP}))
            arbiter.run()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
            if isinstance(end.code, str):  # As the interpreter would print it, but at every LOG_LEVEL.
                emit(logging.CRITICAL, {"event": end.code})
            # Shutting down a worker's interpreter costs 150 ms of CPU time, and 17 MB that it shared with the others.
            if os.getpid() != master:
                os._exit(status)
            if arbiter is None:
                self._hooks.metric_files.remove()
                emit(logging.INFO, {"event": "ended before the application was loaded"})
            sys.exit(status)
