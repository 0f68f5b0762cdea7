"""The choice of the event loop."""

import asyncio
import importlib
import sys

import pytest
import uvloop

from app.serving import event_loop


@pytest.mark.parametrize(
    ("module", "expected"),
    [(uvloop, uvloop.new_event_loop), (None, asyncio.new_event_loop)],
    ids=["installed", "missing"],
)
def test_event_loop(monkeypatch: pytest.MonkeyPatch, module: object, expected: object) -> None:
    """The event loop is uvloop's where that is installed, and asyncio's elsewhere."""
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "uvloop", module)
        assert expected is importlib.reload(event_loop).new_event_loop
    importlib.reload(event_loop)
