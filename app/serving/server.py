"""gunicorn, with this project's configuration and master process."""

import atexit
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gunicorn.app.wsgiapp import WSGIApplication

from app.observability.captured_output import end_lines
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
        self._master = os.getpid()
        self._status = 0
        super().__init__()

    def load_config(self) -> None:
        """Load the configuration from gunicorn.conf.py, and not from a command line."""
        self.load_config_from_file(str(CONFIGURATION))
        for name, value in self._settings.items():
            self.cfg.set(name, value)
        self.app_uri = self.cfg.wsgi_app

    def run(self) -> None:
        """Run until told to stop; ends with SystemExit."""
        # The first function to be registered is the last one to be called.
        atexit.register(self._end_worker)
        arbiter: Arbiter | None = None
        try:
            arbiter = Arbiter(self, self._hooks, EarlySignals(worker_signals.STOPS, {signal.SIGHUP}))
            arbiter.run()
        except SystemExit as end:
            self._status = end.code if isinstance(end.code, int) else int(end.code is not None)
            if isinstance(end.code, str):  # As the interpreter would print it, but at every LOG_LEVEL.
                emit(logging.CRITICAL, {"event": end.code})
            if arbiter is None:
                self._hooks.metric_files.remove()
                emit(logging.INFO, {"event": "ended before the application was loaded"})
            sys.exit(self._status)

    def _end_worker(self) -> None:
        # To take a worker's interpreter apart costs 150 ms of CPU time, and 17 MB that it shared with the others.
        if os.getpid() != self._master:
            end_lines()
            logging.shutdown()  # Registered when logging was imported, and so called after this.
            os._exit(self._status)
