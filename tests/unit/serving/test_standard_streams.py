"""The standard streams of a process that was started without them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.serving.standard_streams import standard_output
from tests.support.paths import ROOT

SHOW = """
import json, os, sys
from app.serving.standard_streams import standard_output
stream = standard_output(sys.stdout)
opened = os.open(os.devnull, os.O_RDONLY)
try:
    os.write(stream.fileno(), b"line")
    fails = False
except OSError:
    fails = True
with open(sys.argv[1], "w") as result:
    json.dump([stream.fileno(), opened > 2, fails], result)
os._exit(0)
"""


def test_an_open_stream_is_taken_as_it_is() -> None:
    """Where standard output is there, it is the one."""
    before = sorted(Path("/dev/fd").iterdir())
    assert sys.stdout is standard_output(sys.stdout)
    assert before == sorted(Path("/dev/fd").iterdir())


@pytest.mark.measured
@pytest.mark.parametrize("closed", [(1,), (0, 1, 2)])
def test_closed_streams_are_taken_by_no_other_file(closed: tuple[int, ...], tmp_path: Path) -> None:
    """In place of what is closed there is something that fails at each line, and no file of ours."""

    def close() -> None:
        for descriptor in closed:
            os.close(descriptor)

    result = tmp_path / "result"
    subprocess.run(
        [sys.executable, "-c", SHOW, str(result)],
        check=True,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        preexec_fn=close,
    )
    assert [1, True, True] == json.loads(result.read_text())
