"""The choice of the event loop."""

import sys

import pytest
import uvloop

from app.serving.event_loop import new_event_loop


@pytest.mark.parametrize("has_uvloop", [True, False])
def test_event_loop(monkeypatch: pytest.MonkeyPatch, *, has_uvloop: bool) -> None:
    """The event loop is uvloop's where that is installed, and asyncio's elsewhere."""
    if not has_uvloop:
        monkeypatch.setitem(sys.modules, "uvloop", None)
        monkeypatch.setattr("app.serving.event_loop.find_spec", lambda _: None)
    loop = new_event_loop()
    assert has_uvloop == isinstance(loop, uvloop.Loop)
    loop.close()
