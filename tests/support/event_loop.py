"""Event loops of both kinds, and how a test takes one forward."""

import asyncio
import time
from collections.abc import Callable

import uvloop

LIMIT_SECONDS = 20.0

FACTORIES: tuple[Callable[[], asyncio.AbstractEventLoop], ...] = (asyncio.new_event_loop, uvloop.new_event_loop)


def name_of(factory: Callable[[], asyncio.AbstractEventLoop]) -> str:
    """Name the kind of an event loop, for the name of a test."""
    return factory.__module__.partition(".")[0]


def run_until(loop: asyncio.AbstractEventLoop, condition: Callable[[], object]) -> None:
    """Run an event loop until a condition holds."""
    end = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        loop.call_later(0.001, loop.stop)
        loop.run_forever()
