"""The candidates under load, in turns, each started anew for each turn: no two starts are alike."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from tests.benchmark import wrk
from tests.benchmark.candidates import NAIVE, OURS, WORKERS, Candidate
from tests.benchmark.rounds import Turns
from tests.benchmark.running import running
from tests.benchmark.wrk import CLOSING, KEEPING, Clients, Load

WORKER_COUNTS = (1, 2, 4)

COLUMNS: Mapping[str, Callable[[Load], float]] = {
    "requests/s": lambda load: load.per_second,
    "p50 ms": lambda load: load.p50_ms,
    "p99 ms": lambda load: load.p99_ms,
    "CPU us/request": lambda load: load.cpu_us,
}


def keeping(candidates: Sequence[Candidate], turns: Turns) -> dict[str, dict[str, float]]:
    """Load candidates by clients that keep their connections; medians by column and candidate."""
    loads: dict[str, list[Load]] = {candidate.name: [] for candidate in candidates}
    for _ in range(turns.rounds):
        for candidate in candidates:
            loads[candidate.name].append(_load(candidate, WORKERS, KEEPING, turns))
    return {
        title: {name: median(column(load) for load in of_one) for name, of_one in loads.items()}
        for title, column in COLUMNS.items()
    }


def closing(turns: Turns) -> dict[str, dict[int, float]]:
    """Load ours and the naive one by clients that close each connection; requests/s by candidate and workers."""
    rates: dict[str, dict[int, list[float]]] = {
        candidate.name: {workers: [] for workers in WORKER_COUNTS} for candidate in (OURS, NAIVE)
    }
    for _ in range(turns.rounds):
        for workers in WORKER_COUNTS:
            for candidate in (OURS, NAIVE):
                rates[candidate.name][workers].append(_load(candidate, workers, CLOSING, turns).per_second)
    return {name: {workers: median(values) for workers, values in of_one.items()} for name, of_one in rates.items()}


def _load(candidate: Candidate, workers: int, clients: Clients, turns: Turns) -> Load:
    with running(candidate, workers) as server:
        if turns.warm_up_seconds:
            wrk.load(server, clients, turns.warm_up_seconds)
        return wrk.load(server, clients, turns.seconds)
