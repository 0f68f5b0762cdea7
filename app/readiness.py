"""Readiness: one fact that the master process decides and every worker tells."""

import mmap


class Readiness:
    """Whether new requests are wanted. Shared by all processes forked after it was made."""

    def __init__(self) -> None:
        self._flag = mmap.mmap(-1, 1)
        self._flag[0] = 1

    def __bool__(self) -> bool:
        return self._flag[0] == 1

    def withdraw(self) -> None:
        """Say for good that no new requests are wanted: a stop has begun."""
        self._flag[0] = 0
