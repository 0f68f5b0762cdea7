"""Conditional and partial requests: Flask's files answer them, and fail on none."""

from pathlib import Path

import pytest
from flask import Flask, Response, send_file

from app.web import conditions

LAST_MODIFIED = "Thu, 01 Jan 2026 00:00:00 GMT"
NO_DATE = "Mon, 99999999999999999999 Jan 2020 00:00:00 GMT"


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """Make an application that sends a file of ten bytes."""
    (tmp_path / "file").write_bytes(b"0123456789")
    app = Flask("conditions", static_folder=None)
    conditions.init_app(app)

    @app.get("/")
    def view() -> Response:
        return send_file(tmp_path / "file", etag="tag", last_modified=1767225600)

    return app


@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        pytest.param({}, 200, b"0123456789", id="none"),
        pytest.param({"If-None-Match": '"tag"'}, 304, b"", id="known"),
        pytest.param({"If-None-Match": '"tag",' * 200}, 200, b"0123456789", id="too many tags"),
        pytest.param({"If-Modified-Since": LAST_MODIFIED}, 304, b"", id="not newer"),
        pytest.param({"If-Modified-Since": NO_DATE}, 200, b"0123456789", id="since no date"),
        pytest.param({"If-Unmodified-Since": NO_DATE}, 200, b"0123456789", id="until no date"),
        pytest.param({"Range": "bytes=2-3"}, 206, b"23", id="range"),
        pytest.param({"Range": "bytes=-2"}, 206, b"89", id="end"),
        pytest.param({"Range": "bytes=8-"}, 206, b"89", id="rest"),
        pytest.param({"Range": "bytes=2-3", "If-Range": LAST_MODIFIED}, 206, b"23", id="range of that"),
        pytest.param({"Range": "bytes=2-3", "If-Range": '"tag"'}, 206, b"23", id="range of that tag"),
        pytest.param({"Range": "bytes=2-3", "If-Range": '"other"'}, 200, b"0123456789", id="range of another"),
        pytest.param({"Range": "bytes=2-3", "If-Range": NO_DATE}, 200, b"0123456789", id="range of no date"),
        pytest.param({"Range": "lines=2-3"}, 200, b"0123456789", id="unknown unit"),
        pytest.param({"Range": "bytes=0-1,3-4"}, 200, b"0123456789", id="two ranges"),
    ],
)
def test_conditions(app: Flask, headers: dict[str, str], status: int, body: bytes) -> None:
    """What RFC 9110 lets a server ignore, or has it ignore, makes no error."""
    with app.test_client().get("/", headers=headers) as response:
        assert (status, body) == (response.status_code, response.data)


@pytest.mark.parametrize(("tags", "status"), [('"tag"', 200), ('"other"', 412), ('"tag",' * 200, 431)])
def test_if_match(app: Flask, tags: str, status: int) -> None:
    """A condition under which alone something may change is not ignored, however long it is."""
    with app.test_client().get("/", headers={"If-Match": tags}) as response:
        assert status == response.status_code


def test_range_of_a_head(app: Flask) -> None:
    """A range is for GET alone."""
    with app.test_client().head("/", headers={"Range": "bytes=2-3"}) as response:
        assert (200, "10") == (response.status_code, response.headers["Content-Length"])
