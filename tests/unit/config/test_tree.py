"""config/image/tree.py: files and the links that lead to them."""

from pathlib import Path

import tree


def test_with_links_gives_each_link_on_the_way(tmp_path: Path) -> None:
    """/lib is a link, and so is the library: both are needed to open the file by the name that the loader asks for."""
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/libz.so.1.3").touch()
    (tmp_path / "usr/lib/libz.so.1").symlink_to("libz.so.1.3")
    (tmp_path / "lib").symlink_to("usr/lib")
    expected = [tmp_path / "lib", tmp_path / "usr/lib/libz.so.1", tmp_path / "usr/lib/libz.so.1.3"]
    assert list(tree.with_links(tmp_path / "lib/libz.so.1")) == expected


def test_with_links_follows_upwards_and_absolute(tmp_path: Path) -> None:
    """A link may lead upwards or begin at the root."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "python").touch()
    (tmp_path / "bin/python3").symlink_to("../python")
    (tmp_path / "bin/python").symlink_to(tmp_path / "bin/python3")
    expected = [tmp_path / "bin/python", tmp_path / "bin/python3", tmp_path / "python"]
    assert list(tree.with_links(tmp_path / "bin/python")) == expected


def test_copy_keeps_links_and_modes(tmp_path: Path) -> None:
    """The copy has the file, executable as it was, and the link to it."""
    source, image = tmp_path / "source", tmp_path / "image"
    source.mkdir()
    (source / "python3").write_text("interpreter")
    (source / "python3").chmod(0o755)
    (source / "python").symlink_to("python3")
    tree.copy({source / "python"}, image)
    copied = image / source.relative_to("/")
    assert (copied / "python").readlink() == Path("python3")
    assert ((copied / "python3").read_text(), (copied / "python3").stat().st_mode & 0o777) == ("interpreter", 0o755)


def test_make_uniform(tmp_path: Path) -> None:
    """Modes and times become the same, whatever they were."""
    folder, file, program = tmp_path / "app", tmp_path / "app/app.py", tmp_path / "app/python"
    folder.mkdir(mode=0o700)
    file.touch(mode=0o664)
    program.touch(mode=0o4711)
    tree.make_uniform(tmp_path)
    assert [path.stat().st_mode & 0o7777 for path in (folder, file, program)] == [0o755, 0o644, 0o755]
    assert {path.stat().st_mtime for path in (tmp_path, folder, file, program)} == {tree.MODIFIED}
