"""The page on benchmarks: it has the candidates and the targets of the code."""

from tests.benchmark.candidates import CANDIDATES
from tests.benchmark.loads import COLUMNS, WORKER_COUNTS
from tests.benchmark.targets import TARGETS
from tests.support.pages import table
from tests.support.paths import ROOT

PAGE = "docs/benchmarks.md"


def test_each_candidate_has_its_rows() -> None:
    """Each candidate is described, and has its figures."""
    names = [candidate.name for candidate in CANDIDATES]
    assert names == [row[0] for row in table(PAGE, "Candidates")]
    assert names == [row[0] for row in table(PAGE, "Under load")]
    assert f"| candidate | {' | '.join(COLUMNS)} |" in (ROOT / PAGE).read_text()


def test_each_target_has_its_row() -> None:
    """Each target stands there with its limit, in the order in which it is printed."""
    expected = [(target.what, str(target)) for target in TARGETS]
    assert expected == [(row[0], row[2]) for row in table(PAGE, "Targets")]


def test_each_number_of_workers_has_its_row() -> None:
    """The figures for closed connections have a row for each number of workers."""
    text = (ROOT / PAGE).read_text()
    assert [] == [workers for workers in WORKER_COUNTS if f"\n| {workers} | " not in text]
