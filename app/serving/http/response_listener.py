"""What the server tells an application about the end of a response."""

from typing import Protocol

# In the environ: a function that takes a ResponseListener.
ADD_LISTENER = "response.add_listener"


class ResponseListener(Protocol):
    """Is called after the close() of the response itself, which a middleware may call earlier, or not at all."""

    def close(self) -> None:
        """Release what the response used, in the thread that made it."""

    def end(self, cut_reason: str | None, failure: BaseException | None) -> None:
        """End the request: its response is sent, but for a few last bytes, or cut short. The event loop may call this.

        `cut_reason` says why this server has cut it short; it is empty if the client has gone, and None if it is whole.
        """
