"""The program `app/app.py`."""

import importlib

import psutil


def test_import_starts_nothing() -> None:
    """Importing the program, as a tool that looks at all modules does, does not start the service."""
    before = psutil.Process().children()
    importlib.import_module("app.app")
    assert before == psutil.Process().children()
