"""The section of a version in the change log: python3 notes.py 1.2.0 <CHANGELOG.md."""

import re
import sys


def section(changelog: str, version: str) -> str:
    """Return the text under the heading of a version; LookupError if there is none."""
    heading, end = rf"^## \[{re.escape(version)}\][^\n]*\n", r"^## |^\[[^\]]+\]: |\Z"
    found = re.search(rf"{heading}(.*?)(?={end})", changelog, re.DOTALL | re.MULTILINE)
    if found is None or not found[1].strip():
        message = f"CHANGELOG.md says nothing under a heading ## [{version}]"
        raise LookupError(message)
    return found[1].strip()


if __name__ == "__main__":
    try:
        print(section(sys.stdin.read(), sys.argv[1]))  # noqa: T201
    except LookupError as error:
        sys.exit(str(error))
