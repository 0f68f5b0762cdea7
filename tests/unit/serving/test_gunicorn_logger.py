"""The logger of gunicorn."""

from typing import TYPE_CHECKING

from gunicorn.config import Config

from app.serving.gunicorn_logger import GunicornLogger

if TYPE_CHECKING:
    from tests.support.log_lines import Lines


def test_lines_take_the_way_of_all_others(log_lines: "Lines") -> None:
    """What gunicorn logs is a line like any other, and there is no log of accesses beside that of the requests."""
    config = Config()
    config.set("accesslog", "-")
    logger = GunicornLogger(config)
    logger.error("worker %s is gone", 17)
    logger.access(None, None, {}, None)
    assert ("error", "worker 17 is gone") == (log_lines.only["level"], log_lines.only["event"])
