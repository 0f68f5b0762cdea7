"""Call a candidate's WSGI application in process: `python -m tests.benchmark.calls NAME`.

Each line on standard input is a number of calls; the CPU seconds that they take come back on standard error, because
standard output belongs to the candidate's log. small_sum.py starts this, once for each candidate: logs and
metrics are settings of a whole process.
"""

import atexit
import io
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tests.benchmark.candidates import BODY, FOLDER

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication, WSGIEnvironment

ENVIRON = {
    "REQUEST_METHOD": "POST",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "QUERY_STRING": "",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "5000",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "HTTP_HOST": "127.0.0.1:5000",
    "HTTP_USER_AGENT": "bench",
    "HTTP_ACCEPT": "*/*",
    "CONTENT_TYPE": "application/json",
    "CONTENT_LENGTH": str(len(BODY)),
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": False,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}


def ours() -> "WSGIApplication":
    """Make the service's application, with its log on standard output."""
    from app import create_app  # noqa: PLC0415
    from app.observability.log_output import LogOutput  # noqa: PLC0415
    from app.observability.logs import configure_logs  # noqa: PLC0415

    configure_logs("info", "json", LogOutput(sys.stdout), os.environ)
    return create_app().wsgi_app


def other(name: str) -> "WSGIApplication":
    """Import a candidate."""
    sys.path.append(str(FOLDER))
    module = name if name in {"floor", "naive", "usual", "bare"} else f"{name}_sum"
    application: WSGIApplication = __import__(module).app
    return application


def call(application: "WSGIApplication", environ: "WSGIEnvironment") -> tuple[str, bytes]:
    """Call an application as a server does, and return the status and the body."""
    statuses = []

    def start_response(status: str, _headers: list[tuple[str, str]], _exc_info: Any = None) -> Any:
        statuses.append(status)

    response = application(environ | {"wsgi.input": io.BytesIO(BODY)}, start_response)
    body = b"".join(response)
    if hasattr(response, "close"):
        response.close()
    return statuses[0], body


def cpu_seconds(application: "WSGIApplication", number: int) -> float:
    """Call an application several times; return the CPU seconds of all calls."""
    began = time.process_time()
    for _ in range(number):
        call(application, ENVIRON)
    return time.process_time() - began


def main(name: str, numbers: Iterable[str], results: int) -> None:
    """Answer each number of calls with the seconds that they take, after the application's own answer."""
    # prometheus_client reads this when it is imported: from then on metrics are kept in files, as for several workers.
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder.name
    application = ours() if name == "ours" else other(name)
    status, body = call(application, ENVIRON)
    os.write(results, f"{status} {body.decode().strip()}\n".encode())
    for number in numbers:
        os.write(results, f"{cpu_seconds(application, int(number))}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1], sys.stdin, 2)
