"""config/image/debug_symbols.py: shared libraries without what only a debugger reads."""

import importlib.machinery
import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from debug_symbols import strip


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has ELF files")
@pytest.mark.parametrize("module", ["uvloop.loop", "httptools.parser.parser", "msgspec._core"])
def test_a_stripped_library_works(module: str, tmp_path: Path) -> None:
    """A library that was cut is not larger, and can still be loaded and used."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    copy = tmp_path / Path(spec.origin).name
    shutil.copy(spec.origin, copy)
    strip(copy)
    assert Path(spec.origin).stat().st_size >= copy.stat().st_size
    loader = importlib.machinery.ExtensionFileLoader(module, str(copy))
    loaded = loader.create_module(importlib.machinery.ModuleSpec(module, loader, origin=str(copy)))
    assert module == loaded.__name__


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has ELF files")
def test_debug_symbols_are_gone(tmp_path: Path) -> None:
    """Of uvloop's library a tenth is left."""
    spec = importlib.util.find_spec("uvloop.loop")
    assert spec is not None
    assert spec.origin is not None
    copy = tmp_path / "loop.so"
    shutil.copy(spec.origin, copy)
    strip(copy)
    assert Path(spec.origin).stat().st_size / 5 > copy.stat().st_size


def test_other_files_stay_as_they_are(tmp_path: Path) -> None:
    """A file that is no library of 64 bits is not touched."""
    file = tmp_path / "text.so"
    file.write_bytes(b"no library")
    strip(file)
    assert file.read_bytes() == b"no library"
