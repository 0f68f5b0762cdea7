"""The version of the service, in the one place that states it."""

__version__ = "1.0.0"
