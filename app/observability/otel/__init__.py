"""What needs the packages of OpenTelemetry, which are optional: nothing else imports them."""
