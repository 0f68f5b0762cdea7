"""An earlier revision of this project as a candidate, in a working tree of its own."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmark.candidates import Candidate, ours_of
from tests.support.paths import ROOT


@contextmanager
def checked_out(revision: str) -> Iterator[Candidate]:
    """Check a revision out, and remove the working tree at the end; it runs with the packages of today."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--quiet", "--detach", str(tree), revision)
        try:
            yield ours_of(revision, tree)
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> None:
    subprocess.run(["git", "-C", str(ROOT), *arguments], check=True)
