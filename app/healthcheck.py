"""The health check of the container: `python app/healthcheck.py` exits with 0 if the service is ready, else with 1."""

import http.client
import os
import sys
from collections.abc import Mapping

TIMEOUT_SECONDS = 2.0


ANY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where the service listens


def address(environ: Mapping[str, str]) -> str:
    """Return the first address on which the service listens, or loopback if it listens on all addresses."""
    first = environ.get("BIND", "").split(",")[0].strip()
    return ANY_ADDRESS.get(first, first)


def main(environ: Mapping[str, str]) -> int:
    """Request `/readyz` on this host, and return 0 if it answers 200 in time, else 1."""
    connection = http.client.HTTPConnection(address(environ), int(environ.get("PORT") or 5000), timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return 0 if connection.getresponse().status == http.client.OK else 1
    except (OSError, http.client.HTTPException):
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(os.environ))
