"""config/image/bytecode.py: bytecode for a container that cannot write its own."""

import importlib.util
from pathlib import Path

import bytecode

UNCHECKED = 0b01


def flags(compiled: Path) -> int:
    """Read the word after the magic number: how Python finds out whether the bytecode is still right."""
    return int.from_bytes(compiled.read_bytes()[4:8], "little")


def test_beside(tmp_path: Path) -> None:
    """The source stays; its bytecode lies where Python looks, and says that the source needs no look."""
    source = tmp_path / "srv/app/one.py"
    source.parent.mkdir(parents=True)
    source.write_text("x = 1\n")
    bytecode.compile_beside(tmp_path)
    assert source.exists()
    assert flags(Path(importlib.util.cache_from_source(str(source)))) == UNCHECKED


def test_instead(tmp_path: Path) -> None:
    """The bytecode takes the place of the source."""
    source = tmp_path / "one.py"
    source.write_text("x = 1\n")
    bytecode.compile_instead(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["one.pyc"]
    assert flags(tmp_path / "one.pyc") == UNCHECKED


def test_instead_of_a_link(tmp_path: Path) -> None:
    """A source that is a link to another has bytecode under its own name."""
    (tmp_path / "one.py").write_text("x = 1\n")
    (tmp_path / "another.py").symlink_to("one.py")
    bytecode.compile_instead(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["another.pyc", "one.pyc"]


def test_traceback_names_the_path_in_the_image(tmp_path: Path) -> None:
    """What was compiled below /layers is found below / when it runs, and a traceback says so."""
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv/one.py").write_text("def f():\n    pass\n")
    bytecode.compile_instead(tmp_path)
    specification = importlib.util.spec_from_file_location("one", tmp_path / "srv/one.pyc")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    assert module.f.__code__.co_filename == "/srv/one.py"
