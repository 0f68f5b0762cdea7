"""The event loop: libuv's, through uvloop, if that is installed, and otherwise asyncio's."""

# Imported here, not where a loop is made: all processes share the memory of a library that is loaded before the fork.
try:
    from uvloop import new_event_loop
except ImportError:
    from asyncio import new_event_loop  # type: ignore[assignment]

__all__ = ["new_event_loop"]
