"""Make it yours: a copy of the project takes another name, and another purpose in the place of the sum."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import engine
from tests.support.paths import ROOT

HERE = Path(__file__).parent

# What goes with the sum.
REMOVED = (
    "app/sums",
    ":(glob)tests/**/sums/**",
    "tests/benchmark",
    "tests/browser",
    "tests/deployment/copy",
    "tests/resilience/test_fuzzing.py",
    "tests/resilience/test_memory_limit.py",
    "tests/resilience/test_overload.py",
    "tests/support/costliest.py",
    "tests/support/sums.py",
    "tests/unit/benchmark",
)

# What is edited by hand: in each file, these texts for those.
EDITED = {
    ".github/workflows/ci.yml": {"bench-smoke, ": "", "test-copy, ": ""},
    "Dockerfile": {"Adds numbers, exactly": "Quotes prices"},
    "Makefile": {
        "test bench-smoke prometheus-releases test-watch test-browser": "test prometheus-releases test-watch",
        "test-image test-copy test-resilience": "test-image test-resilience",
        "prometheus-releases test-browser image-base": "prometheus-releases image-base",
    },
    "app/__init__.py": {"sums": "quotes"},
    "pyproject.toml": {"sums": "quotes", "Adds numbers exactly": "Quotes prices"},
    "tests/support/example.py": {
        '"/"': '"/quote"',
        ', "/static/<path:filename>"': "",
        '{"data": ["1", "2"]}': '{"quantity": 3, "currency": "EUR"}',
        r'"3\n"': r"""'{"price":36}\n'""",
        '{"data": [true]}': '{"quantity": true, "currency": "EUR"}',
        "numbers": "quantity",
    },
}
MOST_FILES = 15

# Everything is installed already, in the environment that runs this test.
MAKE = ("make", "--silent", f"VENV={sys.prefix}", f"--old-file={sys.prefix}/.installed-tests")


def run(folder: Path, *command: str) -> str:
    """Run a command in a folder; it succeeds. What failed comes first where it is pytest that does not."""
    finished = subprocess.run(
        command, cwd=folder, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    failed = [line for line in finished.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    assert 0 == finished.returncode, "; ".join([*failed[:10], finished.stdout[-20_000:]])
    return finished.stdout


def commit(folder: Path) -> None:
    """Record what the copy consists of now."""
    run(folder, "git", "add", "--all")
    run(folder, "git", "-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message=x")


@pytest.fixture(scope="module")
def renamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what git knows of the project, and rename the copy."""
    folder = tmp_path_factory.mktemp("copy") / "pricing"
    for name in run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).exists():  # It may have been removed without a commit.
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    run(folder, "git", "init", "--quiet")
    commit(folder)
    run(folder, *MAKE, "rename", "NAME=pricing")
    commit(folder)
    return folder


@pytest.fixture(scope="module")
def replaced(renamed: Path) -> Path:
    """Put quotes in the place of the sum, with their test."""
    run(renamed, "git", "rm", "-r", "--quiet", "--ignore-unmatch", *REMOVED)
    shutil.copytree(HERE / "quotes", renamed / "app" / "quotes", ignore=shutil.ignore_patterns("__pycache__"))
    (renamed / "tests" / "service" / "quotes").mkdir()
    shutil.copy(HERE / "checks.py", renamed / "tests" / "service" / "quotes" / "test_quotes.py")
    for name, texts in EDITED.items():
        content = (renamed / name).read_text()
        for old, new in texts.items():
            assert old in content
            content = content.replace(old, new)
        (renamed / name).write_text(content)
    return renamed


def test_nothing_keeps_the_old_name(renamed: Path) -> None:
    """The name stands nowhere any more: neither with an underscore nor with a hyphen, nor in the name of a file."""
    found = subprocess.run(["git", "grep", "--ignore-case", "-E", "flask[_-]app"], cwd=renamed, check=False)
    assert 1 == found.returncode
    assert [] == [name for name in run(renamed, "git", "ls-files").splitlines() if "flask_app" in name]


def test_a_name_that_cannot_be_one_is_refused(renamed: Path) -> None:
    """Where the name could not be that of an image or of a Kubernetes object, nothing is renamed."""
    for name in ("", "Pricing", "-x", "a b", "a__b"):
        make = subprocess.run(
            [*MAKE, "rename", f"NAME={name}"], cwd=renamed, check=False, capture_output=True, text=True
        )
        assert make.stderr.startswith(f"rename failed: NAME is '{name}'")
        assert 0 != make.returncode
    assert "" == run(renamed, "git", "status", "--porcelain")


def test_few_files_are_edited(replaced: Path) -> None:
    """Besides what is removed and what is added, a few files change."""
    commit(replaced)
    changed = run(replaced, "git", "diff", "--numstat", "--diff-filter=M", "HEAD~1").splitlines()
    print("edited:", *changed, sep="\n")  # noqa: T201 - pytest shows it with -s
    assert len(changed) <= MOST_FILES


def test_lint(replaced: Path) -> None:
    """The copy is as tidy as the project."""
    run(replaced, *MAKE, "lint")


def test_tests(replaced: Path) -> None:
    """All remaining tests pass, and those of the quotes: request log, metrics, probes, problems, description."""
    run(replaced, *MAKE, "test")


def test_image(replaced: Path) -> None:
    """The image of the copy serves quotes."""
    try:
        engine.run("version")
    except (OSError, RuntimeError):
        pytest.skip("no Docker engine answers: install docker.io (or Docker) and start dockerd")
    engine.build("pricing:copy", context=replaced)
    container = engine.Container("--publish", "127.0.0.1::5000", *engine.HARDENED, image="pricing:copy")
    try:
        engine.until(container.answers)
        order = '{"quantity": 3, "currency": "EUR"}'
        assert (200, '{"price":36}\n') == container.ask("POST", "/quote", order)
    finally:
        container.remove()
