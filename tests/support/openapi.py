"""The description of the interface, as a client takes it by its word."""

from typing import Any

from jsonschema import Draft202012Validator

from tests.support.http_client import Answer, get


class Description:
    """What a service tells of its interface."""

    def __init__(self, port: int) -> None:
        self.content: dict[str, Any] = get(port, "/openapi.json").json()
        self.operations = [(path, method.upper()) for path, item in self.content["paths"].items() for method in item]

    def statuses(self, path: str, method: str) -> set[int]:
        """List the documented statuses of an operation."""
        return {int(status) for status in self.content["paths"][path][method.lower()]["responses"]}

    def resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        """Follow a reference to another part of the description."""
        while "$ref" in node:
            parts = node["$ref"].removeprefix("#/").split("/")
            node = self.content
            for part in parts:
                node = node[part]
        return node

    def errors(self, schema: dict[str, Any], value: object) -> list[str]:
        """List what a schema of the description has against a value."""
        validator = Draft202012Validator({**schema, "components": self.content["components"]})
        return [error.message for error in validator.iter_errors(value)]

    def check(self, path: str, method: str, answer: Answer) -> None:
        """Hold an answer against the description: media type, body, headers."""
        self.check_response(self.content["paths"][path][method.lower()]["responses"][str(answer.status)], answer)

    def check_response(self, response: dict[str, Any], answer: Answer) -> None:
        """Hold an answer against one response of the description."""
        response = self.resolved(response)
        media_type = answer.headers["content-type"].partition(";")[0]
        assert [media_type] == list(response["content"])
        body: object = answer.json() if media_type.endswith("json") else answer.body.decode()
        assert [] == self.errors(response["content"][media_type]["schema"], body)
        for name, reference in response["headers"].items():
            schema = self.resolved(reference)["schema"]
            text = answer.headers[name.lower()]
            assert [] == self.errors(schema, int(text) if schema.get("type") == "integer" else text)
