"""The version of the service, stated only here."""

__version__ = "1.0.0"
