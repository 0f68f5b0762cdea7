"""The answers that any such service has: problems, probes, version and OpenAPI description."""
