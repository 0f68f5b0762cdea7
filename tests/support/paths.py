"""Where the project is, and its name."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# As images, metrics and labels bear it; where no underscore is allowed, it has a hyphen.
NAME = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"].replace("-", "_")
