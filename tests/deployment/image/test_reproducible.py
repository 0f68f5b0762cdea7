"""Two builds of one commit on one base are the same image, file by file."""

from pathlib import Path

from tests.deployment.image import layers
from tests.deployment.image.checkout import other_checkout
from tests.support import engine
from tests.support.paths import NAME


def test_two_builds(tmp_path: Path, image: str) -> None:
    """Names, contents, modes, owners and times agree with a second build, from another checkout and without a cache."""
    engine.build(f"{NAME}:again", "--no-cache", with_buildkit=True, context=other_checkout(tmp_path))
    first, second = layers.read(image), layers.read(f"{NAME}:again")
    assert {path for path in first.keys() | second.keys() if first.get(path) != second.get(path)} == set()
