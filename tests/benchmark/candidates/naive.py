"""The naive one: what most people would write, without logs, without metrics."""

import json

from flask import Flask, request

app = Flask(__name__)


@app.post("/")
def add() -> str:
    """Add floats."""
    return str(sum(float(number) for number in json.loads(request.data)["data"]))
