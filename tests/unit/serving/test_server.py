"""gunicorn with the configuration of this project; what ends it is in test_arbiter.py, beside the master."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.serving import start
from app.serving.hooks import Hooks
from app.serving.server import Server

if TYPE_CHECKING:
    from tests.support.log_lines import Lines


def test_settings_come_before_those_of_the_file(
    make_hooks: Callable[..., Hooks],
    log_lines: "Lines",  # noqa: ARG001 - the logs stay as they are
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """gunicorn.conf.py is read from any working directory, and what a test sets comes before it."""
    hooks = make_hooks(keep_alive=5)
    monkeypatch.setattr(start, "_prepared", hooks)
    monkeypatch.chdir(tmp_path)
    made = Server(hooks, {"timeout": 3, "wsgi_app": "other:app"})
    assert (3, "other:app", 5, hooks.bind) == (made.cfg.timeout, made.app_uri, made.cfg.keepalive, made.cfg.bind)
