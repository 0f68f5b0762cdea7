"""A release, from a commit to a registry, once for all tests of this folder."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.release import machine
from tests.deployment.release.steps import SIGN, Release, build, run
from tests.support import engine
from tests.support.paths import NAME, ROOT

PROGRAMS = ("mmdebstrap", "arch-test", "skopeo", "git", "ip", "unshare")


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save the base image that this machine has, after a look at what else is missing."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for an engine and an emulator")
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        pytest.skip(f"apt-get install --no-install-recommends {' '.join(missing)}")
    name = machine.base()
    saved = tmp_path_factory.mktemp("base") / "base.tar"
    try:
        engine.run("save", "--output", saved, name)
    except (OSError, RuntimeError):
        pytest.skip(f"docker pull {name}, or make image-base where no registry of images is reached")
    machine.make()
    return saved


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Name the folder of the registry."""
    return tmp_path_factory.mktemp("registry") / "storage"


@pytest.fixture(scope="session")
def registry(base: Path, storage: Path) -> Iterator[str]:
    """Run the engine and a registry, with a base image for both architectures in it."""
    with machine.docker(), machine.registry(storage) as address:
        name = f"{address}/library/python"
        loaded = engine.run("load", "--quiet", "--input", base).split()[-1]
        engine.run("tag", loaded, f"{name}:amd64")
        engine.run("import", "--platform", "linux/arm64", machine.BASE_FOR_ARM64, f"{name}:arm64")
        for architecture in ("amd64", "arm64"):
            engine.run("push", "--platform", f"linux/{architecture}", f"{name}:{architecture}")
        engine.run("buildx", "imagetools", "create", "--tag", f"{name}:base", f"{name}:amd64", f"{name}:arm64")
        yield address


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Commit this tree, as it is, in a repository of its own."""
    folder = tmp_path_factory.mktemp("repository") / NAME
    for name in run("git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    author = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    run("git", "init", "--quiet", folder=folder)
    run("git", "add", "--all", folder=folder)
    run("git", *author, "commit", "--quiet", "--message=x", "--date=2026-01-01T00:00:00Z", folder=folder)
    return folder


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory, registry: str) -> Path:
    """Make two pairs of throw-away keys: ours, and another's."""
    assert registry
    folder = tmp_path_factory.mktemp("keys")
    os.environ["COSIGN_PASSWORD"] = ""
    for name in ("ours", "other"):
        run("cosign", "generate-key-pair", "--output-key-prefix", name, folder=folder)
    return folder


@pytest.fixture(scope="session")
def release(registry: str, repository: Path, keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Build, push and sign a release."""
    folder = tmp_path_factory.mktemp("release")
    made = Release(folder, f"{registry}/team/{NAME}", keys / "ours.key")
    build(repository, folder, registry)
    run(ROOT / "config/release/push.sh", folder, made.image, "1.0.0", *machine.PLAIN_PUSH)
    run(ROOT / "config/release/sign.sh", folder, made.image, "--key", made.key, *SIGN)
    return made
