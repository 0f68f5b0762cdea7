"""The only code that imports the packages of OpenTelemetry, which are optional."""
