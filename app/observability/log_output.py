"""The output of the log: whole lines, and no request waits for a reader that no longer reads."""

import errno
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

# The usual 64 KiB fill within 20 ms at ten thousand requests a second: a reader that was not scheduled for that long
# cost one line in a thousand. This is the most that Linux allows an unprivileged process.
PIPE_BYTES = 1024 * 1024

# A reader may fall behind for a moment, on a busy machine for instance. A process that logs then waits for it, but
# spends no more than a tenth of its time on that: a slow reader must not set the pace of the service.
WAIT_SECONDS = 0.1
WAIT_INTERVAL_SECONDS = 1.0


class LogOutput:
    """Writes lines to a stream, one system call for each, and drops those that a slow reader does not take in time.

    With a blocking write, a reader that stops takes the whole service along, the probes and the stop included: each
    process of it waits in its next line. A line less is the smaller loss, and it is counted.
    """

    def __init__(self, stream: TextIO) -> None:
        self.is_terminal = stream.isatty()
        self.count_dropped: Callable[[], None] = lambda: None
        self.announce_dropped: Callable[[int], None] = lambda _: None
        self._stream = stream  # Kept, or else its descriptor would be closed with it, and become another file's.
        self._descriptor = stream.fileno()
        self._write_at_once = self._without_waiting()
        self._dropped = 0
        self._rest = b""
        self._waits_from = 0.0
        self._lock = RLock()  # Of one thread, because to announce what was dropped is to write a line.

    def write(self, line: bytes) -> None:
        """Write a line, or drop it."""
        with self._lock:
            if not self._put(line):
                self._dropped += 1
                self.count_dropped()
            elif self._dropped:
                dropped, self._dropped = self._dropped, 0
                self.announce_dropped(dropped)
                if self._dropped:  # The announcement itself: it is due again.
                    self._dropped += dropped

    def _put(self, line: bytes) -> bool:
        try:
            if self._rest:
                self._rest = self._rest[self._write(self._rest) :]
            if self._rest:
                return False
            # Of a terminal or a socket that takes a part of a line. The rest comes first when there is room again.
            self._rest = line[self._write(line) :]
        except OSError:  # A reader that is slow or gone, a disk that is full: no reason to refuse a request.
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
            except BlockingIOError:  # Still, or another process was quicker.
                if time.monotonic() >= end:
                    raise

    def _without_waiting(self) -> Callable[[bytes], int]:
        # O_NONBLOCK would affect every process that shares the stream, the shell that started us included. A socket can
        # be told at each call; a pipe can be opened once more, where there is /proc and the pipe is ours. A file never
        # blocks, and a person who stops a terminal wants it to.
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
        if stat.S_ISREG(mode) and _can_be_locked(self._descriptor):
            return lambda data: _write_whole(self._descriptor, data)
        return lambda data: os.write(self._descriptor, data)


def _can_be_locked(descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX)
        fcntl.lockf(descriptor, fcntl.LOCK_UN)
    except OSError:  # A network's file system without locks, or a descriptor that can only be read.
        return False
    return True


def _write_whole(descriptor: int, data: bytes) -> int:
    """Write a line to a file, or nothing of it; raises OSError where there is no room.

    A disk that becomes full takes the start of a line. Taken back without a lock, another process's line could stand
    behind it by then, if there is room again. Processes that share a descriptor share flock(); lockf() they do not.
    """
    fcntl.lockf(descriptor, fcntl.LOCK_EX)
    try:
        written = os.write(descriptor, data)
        if written < len(data):
            end = os.lseek(descriptor, 0, os.SEEK_CUR)
            if end == os.fstat(descriptor).st_size:  # Else a process that takes no lock has written to the file, too.
                os.ftruncate(descriptor, end - written)
                os.lseek(descriptor, end - written, os.SEEK_SET)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return written
    finally:
        fcntl.lockf(descriptor, fcntl.LOCK_UN)
