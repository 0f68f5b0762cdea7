"""The logger of gunicorn."""

from pathlib import Path
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


def test_standard_output_stays(tmp_path: Path) -> None:
    """Where gunicorn is told to write into a file, SIGUSR1 does not begin to."""
    config = Config()
    config.set("errorlog", str(tmp_path / "log"))
    config.set("capture_output", True)
    GunicornLogger(config).reopen_files()
    assert not (tmp_path / "log").exists()
