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


# What the best that a competent user writes in a line takes.
COMPETENT_INTEGERS = "x sum(map(int, json.loads(body)[...]))"
COMPETENT_STRINGS = "x sum(map(Decimal, json.loads(body)[...]))"
COMPETENT_NUMBERS = "x sum(json.loads(body, parse_float=Decimal, parse_int=Decimal)[...])"

TARGETS = (
    Target("cpu_naive", "CPU time of the whole tree per request", 0.5, "x naive on gthread"),
    Target("cpu_traces", "CPU time of the whole tree per request, traces on", 1.35, "x ours without"),
    Target("rate_usual", "requests/s", 2.5, "x usual", is_minimum=True),
    Target("rate_fastapi", "requests/s", 1.6, "x fastapi", is_minimum=True),
    Target("rate_bare", "requests/s", 0.5, "x bare", is_minimum=True),
    Target("rate_revision", "requests/s", 1.0, "x the earlier revision", is_minimum=True),
    Target("p99", "p99 of those", 5.0, "ms"),
    Target("p99_usual", "p99 of those", 1.0, "x usual"),
    Target("p99_fastapi", "p99 of those", 1.0, "x fastapi"),
    Target("closing_two", "requests/s, Connection: close, two workers", 1.3, "x one worker", is_minimum=True),
    Target("closing_four", "requests/s, Connection: close, four workers", 1.0, "x two workers", is_minimum=True),
    Target("integers_competent", "a million integers as strings", 0.40, COMPETENT_INTEGERS),
    Target("integers_orjson", "a million integers as strings", 1.0, "x orjson.loads"),
    Target("decimal_strings_competent", "a million amounts as strings", 0.55, COMPETENT_STRINGS),
    Target("decimal_numbers_competent", "a million amounts as numbers", 0.45, COMPETENT_NUMBERS),
    Target("mixed_strings_competent", "a million of 0 to 4 places as strings", 0.70, COMPETENT_STRINGS),
    Target("mixed_numbers_competent", "a million of 0 to 4 places as numbers", 0.70, COMPETENT_NUMBERS),
    Target("peak_ordinary", "peak memory above rest, 16 MiB, ordinary", 12.0, "x the body"),
    Target("peak_costliest", "peak memory above rest, 16 MiB, costliest", 32.0, "x the body"),
    Target("memory", "memory (PSS) of the whole tree at rest", 70.0, "MB"),
    Target("start", "docker run to the first answer", 0.6, "s"),
    Target("scrape", "a scrape under full load, 500 deaths later", 1.2, "x a fresh server's"),
    Target("growth", "CPU per number, from 10 to 10^6 numbers", 1.0, "x that of ten numbers"),
)
