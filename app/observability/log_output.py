"""The output of the log: it writes whole lines, and no request waits for a reader that has stopped reading."""

import fcntl
import os
import select
import socket
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from threading import RLock
from typing import TextIO

from app.observability.log_file import LogFile

# At ten thousand requests a second, the default 64 KiB fill within 20 ms: a reader that was not scheduled for that long
# cost one line in a thousand. 1 MiB is the most that Linux allows an unprivileged process.
PIPE_BYTES = 1024 * 1024

# A reader may fall behind for a moment, for instance on a busy machine. A process that logs then waits for it, but for
# no more than a tenth of its time: a slow reader must not slow down the service.
WAIT_SECONDS = 0.1
WAIT_INTERVAL_SECONDS = 1.0


class LogOutput:
    """Writes lines to a stream, one system call for each, and drops those that a slow reader does not take in time.

    With blocking writes, a reader that stops would block the whole service, including probes and shutdown: each process
    would wait in its next write. Losing a line costs less, and the service counts it.
    """

    def __init__(self, stream: TextIO) -> None:
        self.is_terminal = stream.isatty()
        self.count_dropped: Callable[[], None] = lambda: None
        self.announce_dropped: Callable[[int], None] = lambda _: None
        self._stream = stream  # Kept: otherwise the stream would close the descriptor, and a file could reuse it.
        self._descriptor = stream.fileno()
        self._write_at_once = self._without_waiting()
        self._dropped = 0
        self._rest = b""
        self._waits_from = 0.0
        self._lock = RLock()  # Reentrant, because announcing dropped lines writes a line.

    def renew_lock(self) -> None:
        """Replace the lock, in a process that was forked while another thread may have held it."""
        self._lock = RLock()

    def write(self, line: bytes) -> None:
        """Write a line, or drop it."""
        with self._lock:
            if not self._put(line):
                self._dropped += 1
                self.count_dropped()
            elif self._dropped:
                dropped, self._dropped = self._dropped, 0
                self.announce_dropped(dropped)
                if self._dropped:  # The announcement itself was dropped: announce again.
                    self._dropped += dropped

    def _put(self, line: bytes) -> bool:
        try:
            if self._rest:
                self._rest = self._rest[self._write(self._rest) :]
            if self._rest:
                return False
            # A terminal or a socket may take a part of a line. The rest comes first when there is room again.
            self._rest = line[self._write(line) :]
        except OSError:  # A slow or absent reader, or a full disk: neither may fail a request.
            return False
        return True

    def _write(self, data: bytes) -> int:
        try:
            return self._write_at_once(data)
        except BlockingIOError:
            now = time.monotonic()
            if now < self._waits_from:
                raise
        end = now + WAIT_SECONDS
        self._waits_from = now + WAIT_INTERVAL_SECONDS
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        while True:
            poll.poll(max(0.0, end - time.monotonic()) * 1000)
            try:
                return self._write_at_once(data)
            except BlockingIOError:  # Still full, or another process was quicker.
                if time.monotonic() >= end:
                    raise

    def _without_waiting(self) -> Callable[[bytes], int]:
        # O_NONBLOCK would affect every process that shares the stream, including the shell that started us. A socket
        # takes a flag on each call. A pipe can be opened again if there is /proc and we own the pipe. A file never
        # blocks. A terminal should: a person who stops it wants that.
        mode = os.fstat(self._descriptor).st_mode
        if stat.S_ISSOCK(mode):
            connection = socket.socket(fileno=os.dup(self._descriptor))
            return lambda data: connection.send(data, socket.MSG_DONTWAIT)
        if stat.S_ISFIFO(mode):
            try:
                descriptor = os.open(f"/proc/self/fd/{self._descriptor}", os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                pass
            else:
                with suppress(OSError):
                    fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
                return lambda data: os.write(descriptor, data)
        if stat.S_ISREG(mode):
            return LogFile(self._descriptor).write
        return lambda data: os.write(self._descriptor, data)
