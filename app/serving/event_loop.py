"""The event loop: libuv's by uvloop where that is installed, asyncio's elsewhere."""

import asyncio
from importlib.util import find_spec


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Make an event loop."""
    if find_spec("uvloop") is None:
        return asyncio.new_event_loop()
    import uvloop  # noqa: PLC0415 - it may be missing

    return uvloop.new_event_loop()
