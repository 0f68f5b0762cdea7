"""A log file that several processes write to: each line is whole, and a process that is suspended holds up no other."""

import errno
import fcntl
import os
import time

# A process that is suspended, by a debugger or by the kernel, may hold the lock. The others, the master among them,
# wait for it this long, but for no more than a tenth of their time. Then they write without it: only a disk that fills
# up at that moment can cut a line.
LOCK_SECONDS = 0.1
LOCK_INTERVAL_SECONDS = 1.0
RETRY_SECONDS = 0.0001


class LogFile:
    """Appends lines to a regular file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waits_from = 0.0
        # After `> app.log`, a file that log rotation truncates would go on at the old place, behind zeros.
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_APPEND)

    def write(self, data: bytes) -> int:
        """Write a whole line, or nothing; raises OSError if there is no room.

        A disk that fills up takes only the start of a line, which must then be removed. Without a lock, another process
        could meanwhile have appended a line, if there is room again. Processes that share a descriptor also share its
        flock() lock, but not a lockf() lock.
        """
        is_locked = self._lock()
        try:
            written = os.write(self._descriptor, data)
            if written < len(data):
                end = os.lseek(self._descriptor, 0, os.SEEK_CUR)
                if end == os.fstat(self._descriptor).st_size:  # Else a process without the lock has also written.
                    os.ftruncate(self._descriptor, end - written)
                    os.lseek(self._descriptor, end - written, os.SEEK_SET)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return written
        finally:
            if is_locked:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    def _lock(self) -> bool:
        now = time.monotonic()
        end = now + LOCK_SECONDS if now >= self._waits_from else now
        while True:
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    break
                time.sleep(RETRY_SECONDS)
            except OSError:  # A network file system without locks.
                return False
            else:
                return True
        if end > now:
            self._waits_from = end + LOCK_INTERVAL_SECONDS
        return False
