"""What watches a response from inside of the application."""

from typing import Protocol

# In the environ: a function that takes a Watcher.
WATCH = "response.watch"


class Watcher(Protocol):
    """What an application wants called with each response, after the iterable's own close()."""

    def close(self) -> None:
        """Release what the response used, where it was made."""

    def end(self, cut_reason: str | None, failure: BaseException | None) -> None:
        """End the request: the kernel has the response, or the client is gone. May be called in the event loop.

        `cut_reason` says why this server has cut it short; it is empty if the client has gone, and None if it is whole.
        """
