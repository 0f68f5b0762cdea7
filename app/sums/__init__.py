"""What this service is for: exact sums. A copy of the project replaces this folder."""

from pathlib import Path

from app.sums.view import blueprint as blueprint

OPENAPI = Path(__file__).with_name("openapi.json")
