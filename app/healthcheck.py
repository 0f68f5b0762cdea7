"""The health check of the container: `python app/healthcheck.py` exits with 0 if the service is ready, else with 1."""

import http.client
import os
import sys
from collections.abc import Mapping

TIMEOUT_SECONDS = 2.0


def main(environ: Mapping[str, str]) -> int:
    """Ask `/readyz` on this host; the exit status says whether it answered 200 in time."""
    connection = http.client.HTTPConnection("127.0.0.1", int(environ.get("PORT") or 5000), timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return 0 if connection.getresponse().status == http.client.OK else 1
    except (OSError, http.client.HTTPException):
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(os.environ))
