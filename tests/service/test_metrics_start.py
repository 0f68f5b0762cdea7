"""The start of the metrics: in good order, or not at all."""

import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.support import example
from tests.support.http_client import exchange
from tests.support.scraping import metrics_process, scrape
from tests.support.service import Service, running, wait_until


def refused_start(service: Service) -> dict[str, object]:
    """Wait for the end of a service that does not start, and return the only line that it has printed."""
    try:
        text, _ = service.process.communicate(timeout=20)
        service._output.write_bytes(text)  # noqa: SLF001 - where lines() looks
        assert 73 == service.process.returncode, service.text()
        (line,) = service.lines()
        return line
    finally:
        service.kill()


@pytest.mark.measured
@pytest.mark.parametrize("file_bytes", [0, 64 * 1024])
def test_no_room_ends_the_start(output: Path, tmp_path: Path, file_bytes: int) -> None:
    """Where the files of the metrics find no room, the start ends with status 73 and one line, and leaves nothing."""
    arguments = ["--shared-memory", tmp_path, "--file-bytes", file_bytes]
    service = Service(output, {"WEB_CONCURRENCY": 1}, arguments=arguments, stdout=subprocess.PIPE)
    line = refused_start(service)
    assert "critical" == line["level"]
    assert str(line["event"]).startswith(f"cannot create the metric files in {tmp_path}")
    assert [] == [path for path in tmp_path.iterdir() if path != output]


def test_a_folder_that_takes_no_files_ends_the_start(output: Path) -> None:
    """Where not even the folder can be made, the start ends with status 73 and one line that names the place."""
    arguments = ["--shared-memory", "/dev/fd"]  # Not even root can make a folder there.
    line = refused_start(Service(output, {"WEB_CONCURRENCY": 1}, arguments=arguments, stdout=subprocess.PIPE))
    assert "critical" == line["level"]
    assert str(line["event"]).startswith("cannot create the metric files in /dev/fd")


def test_nothing_forks_with_threads_running(output: Path) -> None:
    """With deprecation warnings as errors the service starts, replaces workers, and stops, and prints no warning."""
    with running(output, PYTHONWARNINGS="error::DeprecationWarning", THREADS=2) as service:
        metrics_process(service).kill()
        service.signal(signal.SIGHUP)
        wait_until(lambda: scrape(service).total("gunicorn_worker_exits_total") == 2, "the workers are replaced")
        assert 200 == exchange(service.port, example.REQUEST).status
        assert 1 == metrics_process(service).num_threads()
        assert 1 == psutil.Process(service.process.pid).num_threads()
        assert service.stop() == 0
        assert [] == [line for line in service.lines() if line["level"] not in {"debug", "info"}]
