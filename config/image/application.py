"""The application's own tree, made uniform and compiled: python3 application.py /layers/application."""

import sys
from pathlib import Path

from bytecode import compile_beside
from tree import make_uniform

if __name__ == "__main__":
    tree = Path(sys.argv[1])
    compile_beside(tree)
    make_uniform(tree)
