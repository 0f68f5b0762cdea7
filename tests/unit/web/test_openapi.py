"""The description of the interface is put together from the part of each package."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import validate

from app import create_app
from app.settings import Settings
from app.version import __version__
from app.web import openapi

PART: dict[str, Any] = {
    "info": {"summary": "Sells."},
    "paths": {
        "/quotes/{number}/{rest}": {
            "summary": "A quote.",
            "get": {
                "operationId": "quote",
                "parameters": [
                    {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                    for name in ("number", "rest")
                ],
                "responses": {
                    "200": {"description": "It.", "headers": {"X-Own": {"schema": {"type": "string"}}}},
                    "404": {"$ref": "#/components/responses/Problem"},
                },
            },
        }
    },
    "components": {"schemas": {"Quote": {"type": "string"}}, "examples": {"one": {"value": 1}}},
}


def read(app: Flask) -> dict[str, Any]:
    """Read the description from the application."""
    response = app.test_client().get("/openapi.json")
    assert ("application/json", 200) == (response.headers["Content-Type"], response.status_code)
    description: dict[str, Any] = json.loads(response.data)
    return description


def make(tmp_path: Path, part: dict[str, Any], rule: str = "/a") -> Flask:
    """Make an application with one view, which a part describes."""
    (tmp_path / "openapi.json").write_text(json.dumps(part))
    app = Flask("described", static_folder=None)
    openapi.init_app(app, tmp_path / "openapi.json")
    for path in ("/healthz", "/readyz", "/version", rule):
        app.add_url_rule(path, path, lambda: "")
    return app


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """Make an application whose view has variables in its path."""
    return make(tmp_path, PART, "/quotes/<int:number>/<path:rest>")


def test_description_of_the_application() -> None:
    """What the application says of itself is OpenAPI 3.1, with its version."""
    description = read(create_app(Settings.from_environ({})))
    validate(description)
    assert description["openapi"].startswith("3.1.")
    assert __version__ == description["info"]["version"]


def test_every_route_is_described() -> None:
    """The description has exactly the paths and methods that the application has, but for HEAD, OPTIONS and files."""
    app = create_app(Settings.from_environ({}))
    expected = {
        (openapi.path_of(rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.endswith(".static")  # What a page is made of.
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert expected == {(path, method) for path, item in read(app)["paths"].items() for method in item}


def test_part_is_merged(app: Flask) -> None:
    """A package's paths, components and summary stand beside the others', with what every answer has."""
    description = read(app)
    validate(description)
    assert "Sells." == description["info"]["summary"]
    assert {"/quotes/{number}/{rest}", "/healthz"} <= description["paths"].keys()
    assert {"Quote", "Problem"} <= description["components"]["schemas"].keys()
    assert {"one": {"value": 1}} == description["components"]["examples"]
    operation = description["paths"]["/quotes/{number}/{rest}"]["get"]
    assert ["200", "400", "404", "408", "414", "431", "500", "501", "503"] == list(operation["responses"])
    assert {"X-Request-ID", "X-Content-Type-Options", "X-Own"} == operation["responses"]["200"]["headers"].keys()
    assert 4 == len(operation["parameters"])


def test_documented_statuses(app: Flask) -> None:
    """What the parts themselves say is known in advance, by the rule; what every path may answer is not."""
    quotes = {series for series in openapi.documented(app) if series[1].startswith("/quotes")}
    assert {("GET", "/quotes/<int:number>/<path:rest>", status) for status in (200, 404)} == quotes
    assert ("GET", "/readyz", 503) in openapi.documented(app)


def test_what_openapi_allows(tmp_path: Path) -> None:
    """Ranges of statuses and the default are served and known by no series; operations need no responses."""
    tags = [{"name": "a", "description": "A."}]
    responses = {status: {"description": status} for status in ("200", "4XX", "default")}
    app = make(tmp_path, {"tags": tags, "paths": {"/a": {"get": {"responses": responses}, "post": {}}}})
    description = read(app)
    validate(description)
    assert tags == description["tags"]
    assert responses.keys() <= description["paths"]["/a"]["get"]["responses"].keys()
    assert {("GET", "/a", 200)} == {series for series in openapi.documented(app) if series[1] == "/a"}


def test_a_part_without_paths(tmp_path: Path) -> None:
    """A part may have components alone."""
    assert {"/healthz", "/readyz", "/version"} <= read(make(tmp_path, {"components": {}}))["paths"].keys()


def test_a_path_that_no_view_has(tmp_path: Path) -> None:
    """It ends the start, and is named."""
    app = make(tmp_path, {"paths": {"/b": {"get": {"responses": {}}}}})
    with pytest.raises(ValueError, match="describes /b, but the application has no such rule"):
        list(openapi.documented(app))


def test_what_would_hold_for_all_operations(tmp_path: Path) -> None:
    """A part cannot say of all operations what holds for its own alone."""
    with pytest.raises(ValueError, match=r"openapi\.json: state security, servers in each operation"):
        make(tmp_path, {"security": [], "servers": []})
