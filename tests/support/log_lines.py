"""The lines that a process has printed."""

import json
from pathlib import Path
from typing import Any


class Lines:
    """The lines that have been printed so far."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def raw(self) -> list[bytes]:
        """Each line as it was printed; the text after the last line end is one, too, so that none goes unseen."""
        lines = self.path.read_bytes().split(b"\n")
        assert lines.pop() == b""
        return lines

    @property
    def json(self) -> list[dict[str, Any]]:
        """Each line as the JSON object that it must be."""
        return [json.loads(line) for line in self.raw]

    @property
    def only(self) -> dict[str, Any]:
        """The one line."""
        (line,) = self.json
        return line
