"""What the service tells: the record of each request, logs, metrics and traces."""
