"""The application: `create_app()` assembles its parts."""

import os

from flask import Flask

from app.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Create the application, from the environment if no settings are given. Raises SettingError for a bad setting."""
    # Imported here because importing a metric decides which files hold its value, and a server prepares these first.
    from app import sums  # noqa: PLC0415
    from app.observability import logs, metrics, middleware  # noqa: PLC0415
    from app.web import conditions, openapi, probes, problems, server_options  # noqa: PLC0415

    settings = settings or Settings.from_environ(os.environ)
    logs.configure_unless_done(settings.log_level, settings.log_format)
    app = Flask(__name__, static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=settings.max_body_bytes, REVISION=settings.revision)
    middleware.init_app(app, settings)
    problems.init_app(app)
    conditions.init_app(app)
    app.register_blueprint(sums.blueprint)
    app.register_blueprint(probes.blueprint)
    app.register_blueprint(server_options.blueprint)
    openapi.init_app(app, sums.OPENAPI)
    metrics.init_app(app, openapi.documented(app))
    return app
