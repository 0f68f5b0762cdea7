"""The metrics of the sum."""

from prometheus_client import Counter, Histogram

OUTCOMES = ("ok", "malformed", "not_numbers", "out_of_range", "too_large", "unsupported")

requests = Counter("sum_requests", "Requests for a sum.", ["outcome"])
numbers = Histogram(
    "sum_numbers", "Numbers added by a request.", buckets=(1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
)
body_bytes = Histogram(
    "sum_body_bytes", "Size of a request's body.", buckets=(100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
)

outcomes = {outcome: requests.labels(outcome) for outcome in OUTCOMES}
