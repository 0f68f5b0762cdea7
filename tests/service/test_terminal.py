"""The service on a terminal that goes away."""

import fcntl
import os
import subprocess
import sys
import termios
from pathlib import Path

from tests.support.http_client import get, is_refused
from tests.support.service import LIMIT_SECONDS, PROGRAM, environment, free_ports, wait_until


def test_a_terminal_that_is_closed_ends_the_service(tmp_path: Path) -> None:
    """The service that was started from a terminal ends with it, as by SIGTERM, and gives up its port."""
    port, metrics_port = free_ports(2)
    ours, theirs = os.openpty()

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [sys.executable, *PROGRAM],
        cwd=tmp_path,
        env=environment(PORT=port, METRICS_PORT=metrics_port, WEB_CONCURRENCY=1),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=take_terminal,  # noqa: PLW1509 - no test starts a service while it has threads
    )
    try:
        os.close(theirs)
        wait_until(lambda: not is_refused(port) and get(port, "/readyz").status == 200, "the service is ready")
        os.close(ours)
        assert 0 == process.wait(LIMIT_SECONDS)
        assert is_refused(port)
    finally:
        process.kill()
        process.wait()
