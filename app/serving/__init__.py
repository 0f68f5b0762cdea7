"""What the application runs on: the start, gunicorn's master and worker, HTTP, and the metrics server."""
