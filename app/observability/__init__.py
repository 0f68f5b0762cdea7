"""Observability: the record of each request, logs, metrics and traces."""
