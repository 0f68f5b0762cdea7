"""Dropped spans: counts all of them, and logs one line a minute, and the rest at the end."""

import fcntl
import logging
from pathlib import Path
from threading import Lock
from time import monotonic

from app.observability.logs import emit
from app.observability.metrics import spans_dropped

INTERVAL_SECONDS = 60.0


class SpanDrops:
    """Counts the spans that this process drops; all processes with the same folder share one log line a minute."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "spans-dropped"
        self._lock = Lock()
        self._untold = 0
        self._reason = ""
        self._quiet_until = 0.0

    def add(self, spans: int, reason: str) -> None:
        """Count spans dropped for a reason, and log them unless a line was logged within the last minute."""
        spans_dropped.inc(spans)
        with self._lock:
            self._untold += spans
            self._reason = reason
            now = monotonic()
            if now < self._quiet_until:
                return
            told, self._quiet_until = self._told_at(now), now + INTERVAL_SECONDS
            if told is not None:
                self._quiet_until = told + INTERVAL_SECONDS
                return
            untold, self._untold = self._untold, 0
        _log(untold, reason)

    def end(self) -> None:
        """Log the spans that no line has told of, with the last reason: this process ends."""
        with self._lock:
            untold, self._untold = self._untold, 0
        if untold:
            _log(untold, self._reason)

    def _told_at(self, now: float) -> float | None:
        """Return when another process logged a line within the last minute; None if this one is to do it."""
        try:
            with self._path.open("a+") as file:
                # Held until the file is closed or the process is killed. Without waiting: its holder may be suspended.
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                file.seek(0)
                told = float(file.read() or "-inf")
                if now - told < INTERVAL_SECONDS:
                    return told
                file.truncate(0)
                file.write(str(now))
        except BlockingIOError:  # Another process is about to do it.
            return now
        except OSError:  # The folder is removed when the master is killed, and its memory may be full.
            pass
        return None


def _log(spans: int, reason: str) -> None:
    emit(logging.WARNING, {"event": "spans dropped", "spans": spans, "reason": reason})
