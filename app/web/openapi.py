"""The description of the interface: `GET /openapi.json`, assembled from each package's part."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from flask import Flask, Response

from app.version import __version__

OPERATIONS = frozenset({"get", "put", "post", "delete", "patch", "trace"})

# The members of a package's part that are merged. Others, such as `security`, would hold for all packages.
MERGED = frozenset({"openapi", "info", "paths", "components", "tags"})

# A variable of a Flask rule, <int:number>, is {number} in OpenAPI.
_VARIABLE = re.compile(r"<(?:[^<>]*:)?([^<>:]+)>")


def init_app(app: Flask, *parts: Path) -> None:
    """Serve the description: this package's part, and `parts`, each with its own paths and components."""
    description = _read(Path(__file__).with_name("openapi.json"))
    everywhere = description.pop("x-everywhere")
    description["info"]["version"] = __version__
    for file in parts:
        part = _read(file)
        if others := sorted(part.keys() - MERGED):
            raise ValueError(f"{file}: state {', '.join(others)} in each operation")
        description["info"] |= part.get("info", {})
        description["paths"] |= part.get("paths", {})
        description["tags"] = [*description.get("tags", []), *part.get("tags", [])]
        for kind, components in part.get("components", {}).items():
            description["components"].setdefault(kind, {}).update(components)
    app.extensions["openapi"] = {
        (method, path): [int(status) for status in operation.get("responses", {}) if status.isdecimal()]
        for path, method, operation in _operations(description)
    }
    for _, _, operation in _operations(description):
        _add_everywhere(operation, everywhere)
    for response in description["components"]["responses"].values():
        response["headers"] = everywhere["headers"] | response.get("headers", {})
    body = orjson.dumps(description, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    app.add_url_rule("/openapi.json", "openapi", lambda: Response(body, mimetype="application/json"))


def documented(app: Flask) -> Iterator[tuple[str, str, int]]:
    """List method, rule and status of the answers that the parts themselves name, without those of every route.

    Raises ValueError if a part describes a path that no rule has.
    """
    rules = {path_of(rule.rule): rule.rule for rule in app.url_map.iter_rules()}
    for (method, path), statuses in app.extensions["openapi"].items():
        if path not in rules:
            raise ValueError(f"an openapi.json describes {path}, but the application has no such rule")
        for status in statuses:
            yield method.upper(), rules[path], status


def path_of(rule: str) -> str:
    """Return the path of a Flask rule as OpenAPI writes it."""
    return _VARIABLE.sub(r"{\1}", rule)


def _add_everywhere(operation: dict[str, Any], everywhere: dict[str, Any]) -> None:
    # Add what all requests and answers have in common, so that a package's part need not repeat it.
    operation["parameters"] = everywhere["parameters"] + operation.get("parameters", [])
    responses = operation.get("responses", {})
    for response in responses.values():
        if "$ref" not in response:
            response["headers"] = everywhere["headers"] | response.get("headers", {})
    operation["responses"] = dict(sorted((everywhere["responses"] | responses).items()))


def _operations(description: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in description["paths"].items():
        for method in OPERATIONS & item.keys():
            yield path, method, item[method]


def _read(part: Path) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads(part.read_bytes())
    return content
