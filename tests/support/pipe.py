"""A pipe that takes the log."""

import json
import os
from threading import Thread
from typing import Any

# Where a line is dropped and a shorter one finds room, this is announced: the announcement may be dropped as well, and
# is counted like a line.
MOST_ANNOUNCEMENTS = 10


class Pipe:
    """A pipe whose reader has stopped, until it reads on."""

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe()
        self._text = b""
        self._reader = Thread(target=self._read, daemon=True)

    def close_writing(self) -> None:
        """Leave the writing end to the service alone, so that the pipe ends when the service does."""
        os.close(self.writing)

    def read_on(self) -> None:
        """Read, from now on."""
        self._reader.start()

    def lines(self) -> list[dict[str, Any]]:
        """Wait for the end, and return all lines; each must be whole."""
        self._reader.join(20)
        return [json.loads(line) for line in self._text.splitlines()]

    def close(self) -> None:
        """Close the reading end."""
        os.close(self._reading)

    def _read(self) -> None:
        while data := os.read(self._reading, 65536):
            self._text += data
