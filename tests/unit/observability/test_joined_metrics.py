"""Joined metrics: what several collectors give, each name once."""

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from app.observability.joined_metrics import JoinedMetrics


def test_the_same_name_twice() -> None:
    """A metric of the application that is named like one of the service is exported beside it."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    Gauge("app_info", "What is running.", ["revision"], registry=ours).labels("abc").set(1)
    Gauge("app_info", "Application info.", ["version"], registry=theirs).labels("1.0.3").set(1)
    Gauge("level", "Level.", registry=theirs).set(3)
    joined = CollectorRegistry(auto_describe=True)
    joined.register(JoinedMetrics([ours, theirs]))
    expected = [
        "# HELP app_info What is running.",
        "# TYPE app_info gauge",
        'app_info{revision="abc"} 1.0',
        'app_info{version="1.0.3"} 1.0',
        "# HELP level Level.",
        "# TYPE level gauge",
        "level 3.0",
    ]
    assert expected == generate_latest(joined).decode().splitlines()
