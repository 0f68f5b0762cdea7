"""The warm-up of a worker."""

from contextlib import ExitStack
from typing import Any
from wsgiref.util import setup_testing_defaults

from flask import Flask, signals

# Flask sends these for a request, also to functions that are connected for any application.
SIGNALS = (
    signals.appcontext_pushed,
    signals.request_started,
    signals.request_finished,
    signals.request_tearing_down,
    signals.appcontext_tearing_down,
    signals.appcontext_popped,
)


def warm_up() -> None:
    """Answer a request, so that the kernel copies memory shared with the master before the first client comes.

    The first request would otherwise take 5 ms longer. Not one to the application, whose hooks count and bind.
    """
    flask = Flask(__name__, static_folder=None)
    flask.add_url_rule("/", view_func=lambda: "")
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    with ExitStack() as stack:
        for signal in SIGNALS:
            stack.enter_context(signal.muted())
        stack.enter_context(flask.request_context(environ))
        flask.full_dispatch_request()
