"""Every builder and every base give a working image; base.sh makes the bases where no registry of images is reached."""

import pytest

from tests.deployment.image import layers
from tests.support import engine
from tests.support.engine import Start
from tests.support.paths import NAME

# The first is laid out as the official image is: what is proven on it is nearest to what a user's Docker will pull.
BASES = ("standin:official", "standin:trixie", "standin:bookworm")


def require(base: str) -> None:
    """Leave out a base that has not been made."""
    try:
        engine.inspect(base)
    except RuntimeError:
        pytest.skip(f"no image {base}: make image-base")


@pytest.mark.parametrize("with_buildkit", [pytest.param(True, id="buildkit"), pytest.param(False, id="classic")])
@pytest.mark.parametrize("base", BASES)
def test_base_and_builder(start: Start, base: str, with_buildkit: bool) -> None:
    """The image serves and turns healthy, with nothing writable and no capabilities."""
    require(base)
    if with_buildkit and engine.buildkit() is None:
        pytest.skip("no Docker client here can use BuildKit: install docker-buildx")
    tag = f"{NAME}:" + base.partition(":")[2]
    engine.build(tag, "--build-arg", f"PYTHON_IMAGE={base}", with_buildkit=with_buildkit)
    container = start(*engine.HARDENED, image=tag)
    engine.until(container.answers)
    assert container.serves()
    engine.until(lambda: container.health() == "healthy")
    assert layers.size(tag) <= 45_000_000


@pytest.mark.parametrize("base", BASES)
def test_every_module_loads(start: Start, base: str) -> None:
    """Each extension module that is in the image finds the libraries that it links to, and TLS works."""
    require(base)
    tag = f"{NAME}:" + base.partition(":")[2]
    container = start(image=tag)
    program = """
import importlib, pathlib, ssl, sysconfig
ssl.create_default_context()
folder = pathlib.Path(sysconfig.get_path("platstdlib"), "lib-dynload")
names = {file.name.partition(".")[0] for file in folder.glob("*.so")}
print(sorted(name for name in names if importlib.import_module(name) is None))
"""
    assert container.python(program) == "[]\n"
