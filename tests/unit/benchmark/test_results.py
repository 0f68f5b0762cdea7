"""What the benchmark reads from the programs that measure, and makes of it."""

from tests.benchmark.large_sums import growth
from tests.benchmark.small_sum import parse_total
from tests.benchmark.wrk import Load, parse

WRK = """Running 1s test @ http://127.0.0.1:5000/
  1 threads and 16 connections
Requests/sec:  13778.12
{"requests": 27585, "seconds": 2.001050, "p50_ms": 1.175, "p99_ms": 2.040, "errors": 3}
"""

CALLGRIND = """# callgrind format
events: Ir
fn=(1) start
0 3
summary: 1384208100
totals: 1384208099
"""


def test_load() -> None:
    """The rate and the CPU time of a request are those of the requests that were answered while wrk ran."""
    load = Load(**parse(WRK), cpu_seconds=2.7585)
    assert (27585, 2.04, 3) == (load.requests, load.p99_ms, load.errors)
    assert 13785 == round(load.per_second)
    assert 100 == round(load.cpu_us)


def test_instructions() -> None:
    """The number of instructions is the total of callgrind's file."""
    assert 1384208099 == parse_total(CALLGRIND)


def test_growth() -> None:
    """The kind of numbers that grows most tells the growth; json.loads is no part of the service."""
    times = {
        "integers": {10: 4.0, 1000: 1.0},
        "decimals": {10: 2.0, 1000: 3.0},
        "json.loads alone": {10: 1.0, 1000: 9.0},
    }
    assert 1.5 == growth(times)
