"""The machine and the versions that the figures belong to."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from tests.support.paths import ROOT

PROGRAMS = ("wrk", "valgrind")
PACKAGES = (
    *("flask", "gunicorn", "httptools", "uvloop", "fastapi", "uvicorn", "falcon"),
    *("msgspec", "structlog", "prometheus-client"),
)


def missing_programs() -> list[str]:
    """Name the programs that the benchmark needs and that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def describe() -> dict[str, str]:
    """Describe the machine and the versions."""
    return {
        "revision": _revision(),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    } | {name: version(name) for name in PACKAGES}


def _revision() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip() or "unknown"


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
