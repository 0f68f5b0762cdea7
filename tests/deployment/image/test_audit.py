"""config/release/audit.sh: what Debian has fixed since the image was built."""

import re
import subprocess
from pathlib import Path

from tests.support import engine
from tests.support.paths import NAME, ROOT

BASE = re.findall(r"ARG PYTHON_IMAGE=(\S+)", (ROOT / "Dockerfile").read_text())[0]


def audit(image: str, base: str = BASE) -> subprocess.CompletedProcess[str]:
    """Look an image up."""
    command = [ROOT / "config/release/audit.sh", image, base]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_an_outdated_package_is_named(tmp_path: Path) -> None:
    """A package of which Debian has a newer version is told with both versions, and the audit fails."""
    (tmp_path / "libc6").write_text("Package: libc6\nStatus: install ok installed\nVersion: 2.41-1\n")
    (tmp_path / "libc6.md5sums").write_text("d41d8cd98f00b204e9800998ecf8427e  usr/lib/libc.so.6\n")
    (tmp_path / "Dockerfile").write_text('FROM scratch\nCOPY libc6* /var/lib/dpkg/status.d/\nCMD ["none"]\n')
    engine.run("build", "--tag", f"{NAME}:outdated", tmp_path)
    done = audit(f"{NAME}:outdated")
    assert 1 == done.returncode
    assert re.search(r"^libc6 2\.41-1: Debian has 2\.41-\S+$", done.stdout, re.MULTILINE)


def test_without_an_answer_the_audit_fails(image: str) -> None:
    """Where Debian cannot be asked, the audit does not say that all is well."""
    done = audit(image, base=image)
    assert 0 != done.returncode
    assert "" == done.stdout
