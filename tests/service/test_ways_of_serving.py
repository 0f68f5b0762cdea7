"""The same application, the same logs and metrics as true, whichever way of serving is taken."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import example
from tests.support.habit_client import HabitClient
from tests.support.habit_table import HABITS, Step
from tests.support.http_client import Client, exchange
from tests.support.scraping import ANSWERED, scrape
from tests.support.service import GUNICORN, LAUNCHER, PROGRAM, Service, running, wait_until

APPLICATION = "tests.support.application:create_app(further=True)"

# Each from the project's root, as a person would type it.
COMMANDS = {
    "python app/app.py": PROGRAM,
    "gunicorn": GUNICORN,
    "gunicorn -k gthread": (*GUNICORN, "-k", "gthread"),
    "gunicorn -k gthread --threads 4": (*GUNICORN, "-k", "gthread", "--threads", "4"),
    "gunicorn -k sync": (*GUNICORN, "-k", "sync"),
    "gunicorn 'app:create_app()'": (*GUNICORN, "app:create_app()"),
}
HABIT_COMMANDS = {
    "launcher": (LAUNCHER, "--application", APPLICATION),
    "launcher on asyncio": (LAUNCHER, "--asyncio", "--application", APPLICATION),
    "gunicorn": (*GUNICORN, APPLICATION),
    "gunicorn -k gthread": (*GUNICORN, "-k", "gthread", "--threads", "4", APPLICATION),
    "gunicorn -k sync": (*GUNICORN, "-k", "sync", APPLICATION),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_twenty_requests_are_twenty_lines_and_twenty_counts(output: Path, command: tuple[str | Path, ...]) -> None:
    """On new connections and on one that is kept, each request has an answer, a line and a count."""
    with running(output, program=command) as service:
        for number in range(10):
            assert example.ANSWER == exchange(service.port, example.request(f"X-Request-ID: new-{number}")).body
        client = Client(service.port)
        for number in range(10):
            answer = client.ask(example.request(f"X-Request-ID: kept-{number}"))
            assert example.ANSWER == answer.body
            if answer.headers["connection"] == "close":  # gunicorn's own worker `sync` keeps none.
                client.close()
                client = Client(service.port)
        client.close()
        wait_until(lambda: len(service.requests(route=example.ROUTE)) >= 20, "all are logged")
        wait_until(lambda: scrape(service).samples[ANSWERED] >= 20, "all are counted")
        expected = {f"{kind}-{number}" for kind in ("new", "kept") for number in range(10)}
        lines = service.requests(route=example.ROUTE)
        assert (20, expected) == (len(lines), {line["request_id"] for line in lines})
        assert {True} == {line["duration_ms"] > 0 for line in lines}
        assert 20 == scrape(service).samples[ANSWERED]
        wait_until(lambda: scrape(service).samples["gunicorn_workers"] == 2, "both workers are there")
        assert service.stop() == 0


@pytest.fixture(scope="module", params=HABIT_COMMANDS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the views of the habits one way after the other."""
    output = tmp_path_factory.mktemp("habits") / "output"
    with running(output, program=HABIT_COMMANDS[request.param]) as service:
        yield service


@pytest.fixture(scope="module")
def threaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run them in a pool of threads."""
    with running(
        tmp_path_factory.mktemp("threads") / "output", arguments=["--application", APPLICATION], THREADS=4
    ) as service:
        yield service


@pytest.mark.parametrize("steps", HABITS.values(), ids=HABITS)
def test_habit(served: Service, steps: tuple[Step, ...]) -> None:
    """A habit of Flask's works: its answer, its line in the log and the lines of the view agree."""
    client = HabitClient(served)
    for step in steps:
        client.take(step)


@pytest.mark.parametrize("steps", HABITS.values(), ids=HABITS)
def test_habit_in_threads(threaded: Service, steps: tuple[Step, ...]) -> None:
    """So it does where several requests are worked on at once."""
    client = HabitClient(threaded)
    for step in steps:
        client.take(step)
