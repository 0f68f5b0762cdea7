"""Bytecode, the same in every build: a read-only container cannot write its own and would compile at each start."""

import py_compile
from pathlib import Path

UNCHECKED = py_compile.PycInvalidationMode.UNCHECKED_HASH


def compile_beside(tree: Path) -> None:
    """Compile each source of the tree to where Python looks for its bytecode; a traceback still quotes the source."""
    for source in sorted(tree.rglob("*.py")):
        py_compile.compile(str(source), dfile=f"/{source.relative_to(tree)}", doraise=True, invalidation_mode=UNCHECKED)


def compile_instead(tree: Path) -> None:
    """Compile each source of the tree and leave the bytecode in its place."""
    sources = sorted(tree.rglob("*.py"))
    for source in sources:
        name, compiled = f"/{source.relative_to(tree)}", str(source.with_suffix(".pyc"))
        py_compile.compile(str(source), compiled, dfile=name, doraise=True, invalidation_mode=UNCHECKED)
    # Only now, since one source may be a link to another, as Debian's _sysconfigdata is.
    for source in sources:
        source.unlink()
