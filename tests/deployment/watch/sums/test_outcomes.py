"""What a Prometheus reads of the sums."""

from tests.deployment.watch.processes import Prometheus, wait_until


def test_outcomes_are_those_of_the_sums(prometheus: Prometheus, sent: dict[tuple[str, str, str], int]) -> None:
    """Each body that was read has one outcome, and it fits the status that was answered."""
    expected = {
        "ok": sent["POST", "/", "200"],
        "not_numbers": sent["POST", "/", "422"],
    }

    def counted() -> dict[str, int]:
        return {labels["outcome"]: int(value) for labels, value in prometheus.query("sum_requests_total > 0")}

    assert wait_until(counted, lambda counts: counts == expected) == expected
