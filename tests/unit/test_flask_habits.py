"""The application is a Flask application: each habit works in it as in Flask's documentation."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import flask
import pytest
from flask import Flask
from prometheus_client import REGISTRY

from app import create_app
from app.settings import Settings
from tests.support.habit_check import by_test_client, check_answer, check_lines
from tests.support.habit_table import HABITS, Step
from tests.support.habits import attach
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from tests.support.log_lines import Lines


@pytest.fixture
def app(log_lines: "Lines", make_settings: Callable[..., Settings]) -> Flask:  # noqa: ARG001 - before the application
    """Make the application with the views of the habits."""
    return attach(create_app(make_settings()))


@pytest.mark.parametrize("steps", HABITS.values(), ids=HABITS)
def test_habit(app: Flask, log_lines: "Lines", steps: tuple[Step, ...]) -> None:
    """A habit works in the application; its answer, its line in the log and the lines of the view agree."""
    client = app.test_client()
    for step in steps:
        answer = by_test_client(client, step)
        check_answer(step, answer)
        check_lines(step, answer, log_lines.json)


def test_application_is_a_plain_flask(app: Flask) -> None:
    """Neither the application nor what it makes of requests and responses is a class of ours."""
    assert flask.Flask is type(app)
    assert (flask.Request, flask.Response) == (app.request_class, app.response_class)


def test_lines_of_a_view(app: Flask, log_lines: "Lines") -> None:
    """Whatever a view logs bears the ids of its request, the keys bound to it, and what `extra=` says."""
    headers = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "X-Request-ID": "id-1"}
    app.test_client().get("/habits/log", headers=headers, buffered=True)
    assert ["by structlog", "by the application's logger", "by logging", "request"] == [
        line["event"] for line in log_lines.json
    ]
    for line in log_lines.json:
        assert ("id-1", "a" * 32, "b" * 16, "c1") == tuple(
            line[key] for key in ("request_id", "trace_id", "span_id", "customer")
        )
    assert 7 == log_lines.json[2]["order"]


def test_context_of_a_client_is_kept(app: Flask) -> None:
    """`with app.test_client()` keeps the context of the last request, for assertions on session and request."""
    with app.test_client() as client:
        client.get("/habits/login/ann")
        assert ("ann", "/habits/login/ann") == (flask.session["name"], flask.request.path)


def test_error_outside_of_a_request(app: Flask) -> None:
    """An error in `app.test_request_context()` is answered without a server: as a problem with an id of its own."""
    with app.test_request_context("/nowhere", headers={"X-Request-ID": "mine"}):
        response = app.full_dispatch_request()
    assert (404, "mine") == (response.status_code, json.loads(response.data)["request_id"])


def test_metrics_of_a_view(app: Flask) -> None:
    """A metric of a module, and those that prometheus-flask-exporter's decorators make, count as documented."""
    client = app.test_client()
    names = [("habits_total", {"kind": "known"}), ("habits_by_decorator_total", {"status": "200"})]
    names.append(("habits_seconds_count", {"path": "/habits/counted"}))
    before = [REGISTRY.get_sample_value(name, labels) for name, labels in names]
    assert 0.0 == before[0]
    client.get("/habits/counted", buffered=True)
    after = [REGISTRY.get_sample_value(name, labels) for name, labels in names]
    assert [(count or 0.0) + 1 for count in before] == after


@pytest.mark.parametrize("command", [["routes"], ["shell"]])
def test_commands_of_flask(command: list[str]) -> None:
    """`flask --app app routes` and `shell` work without arguments, and what they print is not taken for a log."""
    flask_command = [sys.executable, "-m", "flask", "--app", "app", *command]
    result = subprocess.run(
        flask_command, input="print(app.url_map)", capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "/healthz" in result.stdout
