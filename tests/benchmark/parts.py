"""The parts of the benchmark: each measures, and makes the figures that have targets."""

from contextlib import ExitStack

from tests.benchmark import first_answer, host, large_sums, loads, peak_memory, revision, scrape, small_sum
from tests.benchmark.candidates import CANDIDATES, traced
from tests.benchmark.costly_bodies import ORDINARY
from tests.benchmark.results import Results
from tests.benchmark.rounds import Rounds
from tests.support.collector import collecting

NO_WRK = "no wrk"
LOAD_FIGURES = (
    *(
        "rate_usual",
        "rate_fastapi",
        "rate_bare",
        "cpu_naive",
        "cpu_traces",
        "p99",
        "p99_usual",
        "p99_fastapi",
        "rate_revision",
    ),
    *("closing_two", "closing_four"),
)


def measure_load(to: Results, rounds: Rounds, earlier: str | None) -> None:
    """Measure requests/s, latency and CPU time of all candidates, and of the earlier revision that is named, if any."""
    if "wrk" in host.missing_programs():
        to.lack("load", NO_WRK, *LOAD_FIGURES)
        to.lack("closing", NO_WRK)
        return
    with ExitStack() as stack:
        others = [stack.enter_context(revision.checked_out(earlier))] if earlier else []
        collector = stack.enter_context(collecting(keeps=False))
        columns = loads.keeping((*CANDIDATES, traced(collector.endpoint), *others), rounds.load)
    rates, p99s, cpu = (columns[title] for title in ("requests/s", "p99 ms", "CPU us/request"))
    to.add(
        "load",
        columns,
        rate_usual=rates["ours"] / rates["usual"],
        rate_fastapi=rates["ours"] / rates["fastapi"],
        rate_bare=rates["ours"] / rates["bare"],
        cpu_naive=cpu["ours"] / cpu["naive"],
        cpu_traces=cpu["ours with traces"] / cpu["ours"],
        p99=p99s["ours"],
        p99_usual=p99s["ours"] / p99s["usual"],
        p99_fastapi=p99s["ours"] / p99s["fastapi"],
        rate_revision=rates["ours"] / rates[earlier] if earlier else "no --revision",
    )
    closing = loads.closing(rounds.closing)
    ours = closing["ours"]
    to.add("closing", closing, closing_two=ours[2] / ours[1], closing_four=ours[4] / ours[2])


def measure_small_sum(to: Results, rounds: Rounds) -> None:
    """Measure one small sum in process."""
    columns = {}
    for title, shares_cpu in (("in process, CPU us", True), ("log read on another CPU", False)):
        seconds = small_sum.measure(rounds.starts, rounds.turns, rounds.calls, shares_cpu=shares_cpu)
        columns[title] = {name: value * 1e6 for name, value in seconds.items()}
    to.add("small sum", columns)
    if "valgrind" in host.missing_programs():
        to.lack("instructions", "no valgrind")
        return
    thousands = {
        name: value / 1000 for name, value in small_sum.instructions(rounds.counted, rounds.counted_calls).items()
    }
    to.add("instructions", {"1,000 instructions": thousands})


def measure_large_sums(to: Results, rounds: Rounds) -> None:
    """Measure a million numbers in process, and fewer."""
    seconds = large_sums.measure(rounds.large, rounds.numbers)
    to.add(
        "a million numbers",
        seconds,
        **{f"{name}_competent": times["ours"] / times["competent"] for name, times in seconds.items()},
        integers_orjson=seconds["integers"]["ours"] / seconds["integers"]["orjson"],
    )
    per_number = large_sums.per_number(rounds.large, rounds.numbers)
    to.add("CPU seconds per number", per_number, growth=large_sums.growth(per_number))


def measure_memory(to: Results, rounds: Rounds) -> None:
    """Measure the memory at rest and at its peak."""
    to.add("memory at rest", rest := peak_memory.at_rest(), memory=rest / 1e6)
    ordinary = peak_memory.peaks(ORDINARY, rounds.mebibytes)
    costliest = peak_memory.peaks(peak_memory.COSTLIEST, rounds.mebibytes)
    to.add(
        "peak memory",
        ordinary | costliest,
        peak_ordinary=max(ordinary.values()),
        peak_costliest=max(costliest.values()),
    )


def measure_scrape(to: Results, rounds: Rounds) -> None:
    """Measure the time of a scrape."""
    if "wrk" in host.missing_programs():
        to.lack("scrape", NO_WRK, "scrape")
        return
    seconds = scrape.measure(rounds.deaths, rounds.scrapes)
    to.add("scrape", seconds, scrape=seconds["after deaths"] / seconds["fresh"])


def measure_first_answer(to: Results, rounds: Rounds) -> None:
    """Measure the start of a container."""
    if reason := first_answer.obstacle():
        to.lack("start", reason, "start")
    else:
        to.add("start", seconds := first_answer.measure(rounds.containers), start=seconds)


def measure_all(to: Results, rounds: Rounds, earlier: str | None) -> None:
    """Measure everything; raises WrongAnswerError where a candidate does not run or answers wrongly."""
    measure_load(to, rounds, earlier)
    measure_small_sum(to, rounds)
    measure_large_sums(to, rounds)
    measure_memory(to, rounds)
    measure_scrape(to, rounds)
    measure_first_answer(to, rounds)
