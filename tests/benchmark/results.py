"""The results: what has been measured so far."""

import sys
import time
from typing import Any

from tests.benchmark import host
from tests.benchmark.report import Figure


class Results:
    """Collects the figures that have targets, by their keys, and all that was measured, by the name of the part."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.figures: dict[str, Figure] = {}
        self.raw: dict[str, Any] = {"machine": host.describe()}

    def add(self, name: str, raw: Any, **figures: Figure) -> None:
        """Take in what has been measured."""
        self.raw[name] = raw
        self.figures |= figures
        print(f"{time.monotonic() - self._began:5.0f} s: {name}", file=sys.stderr, flush=True)  # noqa: T201 - progress

    def lack(self, name: str, reason: str, *figures: str) -> None:
        """Note that something can't be measured here."""
        self.add(name, {}, **dict.fromkeys(figures, reason))
