"""What a Prometheus with the shipped configuration reads from the running service."""

from tests.deployment.watch.processes import Prometheus, wait_until
from tests.support.paths import NAME


def test_target_is_up(prometheus: Prometheus) -> None:
    """There is one target, it answers, and its job is the one that every rule selects."""
    assert [(labels["job"], value) for labels, value in prometheus.query("up")] == [(NAME, 1)]


def test_counts_equal_the_requests_sent(prometheus: Prometheus, sent: dict[tuple[str, str, str], int]) -> None:
    """Each request is counted once, under its method, route and status."""

    def counted() -> dict[tuple[str, str, str], int]:
        series = prometheus.query('http_request_duration_seconds_count{route!~"/healthz|/readyz"} > 0')
        return {(labels["method"], labels["route"], labels["status"]): int(value) for labels, value in series}

    assert wait_until(counted, lambda counts: counts == sent) == sent
