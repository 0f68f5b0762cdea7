"""The event loop: libuv's by uvloop where that is installed, asyncio's elsewhere."""

# Here and not where a loop is made: loaded before the fork, the library's memory is shared by all processes.
try:
    from uvloop import new_event_loop
except ImportError:
    from asyncio import new_event_loop  # type: ignore[assignment]

__all__ = ["new_event_loop"]
