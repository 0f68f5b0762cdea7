"""What a Prometheus with the shipped configuration reads from the running service."""

from tests.deployment.watch.processes import Prometheus, wait_until


def test_target_is_up(prometheus: Prometheus) -> None:
    """There is one target, it answers, and its job is the one that every rule selects."""
    assert [(labels["job"], value) for labels, value in prometheus.query("up")] == [("flask_app", 1)]


def test_counts_equal_the_requests_sent(prometheus: Prometheus, sent: dict[tuple[str, str, str], int]) -> None:
    """Each request is counted once, under its method, route and status."""

    def counted() -> dict[tuple[str, str, str], int]:
        series = prometheus.query('http_request_duration_seconds_count{route!~"/healthz|/readyz"} > 0')
        return {(labels["method"], labels["route"], labels["status"]): int(value) for labels, value in series}

    assert wait_until(counted, lambda counts: counts == sent) == sent


def test_outcomes_are_those_of_the_sums(prometheus: Prometheus, sent: dict[tuple[str, str, str], int]) -> None:
    """Each body that was read has one outcome, and it fits the status that was answered."""
    expected = {
        "ok": sent["POST", "/", "200"],
        "not_numbers": sent["POST", "/", "422"],
        "malformed": sent["POST", "/", "400"],
    }

    def counted() -> dict[str, int]:
        return {labels["outcome"]: int(value) for labels, value in prometheus.query("sum_requests_total > 0")}

    assert wait_until(counted, lambda counts: counts == expected) == expected
