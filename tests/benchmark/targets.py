"""The targets: what the service promises to cost, as data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A limit of one figure."""

    key: str
    what: str
    limit: float
    unit: str
    is_minimum: bool = False

    def is_met(self, figure: float) -> bool:
        """Tell whether a figure is within the limit."""
        return figure >= self.limit if self.is_minimum else figure <= self.limit

    def __str__(self) -> str:
        """Describe the limit."""
        return f"{'at least' if self.is_minimum else 'at most'} {self.limit:g} {self.unit}"


TARGETS = (
    Target("small_sum", "one small sum, in process, CPU", 0.8, "x naive"),
    Target("rate_usual", "requests per second", 1.6, "x usual", is_minimum=True),
    Target("rate_fastapi", "requests per second", 1.6, "x fastapi", is_minimum=True),
    Target("rate_bare", "requests per second", 0.5, "x bare", is_minimum=True),
    Target("p99_usual", "p99 of those", 1.0, "x usual"),
    Target("p99_fastapi", "p99 of those", 1.0, "x fastapi"),
    Target("integers_json", "a million integers as strings", 0.45, "x json.loads, sum(map(int, ...))"),
    Target("integers_orjson", "a million integers as strings", 1.0, "x orjson.loads"),
    Target("decimal_strings", "a million decimals as strings", 0.65, "x json.loads, sum(Decimal(str(x)) ...)"),
    Target("decimal_numbers", "a million decimals as numbers", 0.65, "x json.loads, sum(Decimal(str(x)) ...)"),
    Target("peak_ordinary", "peak memory above rest, 16 MiB, ordinary", 12.0, "x the body"),
    Target("peak_costliest", "peak memory above rest, 16 MiB, costliest", 32.0, "x the body"),
    Target("memory", "memory (PSS) of the whole tree at rest", 70.0, "MB"),
    Target("start", "docker run to the first answer", 0.6, "s"),
    Target("scrape", "a scrape under full load, 500 deaths later", 1.2, "x a fresh server's"),
    Target("growth", "CPU per number, from 10 to 10^6 numbers", 1.0, "x that of ten numbers"),
)
