"""The command `python app/app.py`."""

import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

from app.observability.log_output import LogOutput
from app.observability.logs import configure_logs, emit
from app.serving import start
from app.serving.standard_streams import standard_output
from app.settings import VARIABLES

# EX_USAGE of sysexits.h.
USAGE = 64


def main(arguments: Sequence[str], **settings: Any) -> int:
    """Serve until told to stop; docs/reference/exit-statuses.md lists the exit statuses.

    `settings` are gunicorn's, and override those of its configuration file.
    """
    if arguments:
        configure_logs("info", "auto", LogOutput(standard_output(sys.stdout)), os.environ)
        names = ", ".join(VARIABLES)
        emit(logging.CRITICAL, {"event": f"no arguments are accepted; set environment variables instead: {names}"})
        return USAGE
    hooks = start.hooks()
    # gunicorn reads this variable when it is imported, and fails if it is not a number.
    os.environ["WEB_CONCURRENCY"] = str(hooks.workers)
    from app.serving.server import Server  # noqa: PLC0415

    Server(hooks, settings).run()
    return 0
