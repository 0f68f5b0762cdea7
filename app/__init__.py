"""A service that adds numbers exactly."""

import time
from collections.abc import Sequence

from flask import Flask

from app import errors, openapi, probes, sums
from app.application import Application
from app.client import ClientAddress
from app.measurement import Measurement, Observer
from app.readiness import Readiness
from app.settings import Settings


def create_app(settings: Settings, readiness: Readiness, observers: Sequence[Observer]) -> Flask:
    """Make the application. Nothing but the arguments reaches it from outside."""
    app = Application(__name__, static_folder=None)
    app.config.update(
        MAX_BODY_BYTES=settings.max_body_bytes,
        PROVIDE_AUTOMATIC_OPTIONS=False,
        READINESS=readiness,
        REVISION=settings.revision,
    )
    app.url_map.merge_slashes = False
    app.register_blueprint(sums.blueprint)
    app.register_blueprint(probes.blueprint)
    app.register_blueprint(openapi.blueprint)
    errors.register_errors(app)
    measurement = Measurement(app.wsgi_app, observers, ClientAddress(settings.forwarded_allow_ips), time.perf_counter)
    app.wsgi_app = measurement  # type: ignore[method-assign]
    app.extensions["measurement"] = measurement
    return app
