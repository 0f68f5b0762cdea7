"""The standard streams, if the program that started the service has closed some of them."""

import os
from typing import TextIO


def standard_output(stdout: TextIO | None) -> TextIO:
    """Return standard output, after making sure that no other file can be taken for it or for standard error.

    A file that is opened while descriptor 1 is free becomes descriptor 1: log lines would be written to a metric file.
    The placeholder opened here is read-only: a line fails, and is counted as dropped.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # The lowest free descriptor is this one.
    return stdout or os.fdopen(1, "w", closefd=False)
