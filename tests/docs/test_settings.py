"""The table of settings, and what else a supervisor has to know."""

import re
from dataclasses import fields

import pytest

from app.observability import trace_settings
from app.observability.trace_settings import TraceSettings
from app.serving import main, start
from app.settings import VARIABLES, SettingError, Settings
from tests.support.pages import names, table

ROWS = table("docs/reference/settings.md")
TRACES = table("docs/reference/settings.md", "Traces")
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
STATUSES = {str(status) for status in (0, main.USAGE, start.PORT_TAKEN, start.CANNOT_CREATE, start.BAD_SETTING)}
UNCAUGHT = "1"  # Python, of an exception that no code caught.
KILLED = "137"  # By a shell's arithmetic: the kernel's doing.


def variable(row: list[str]) -> str:
    """Return the variable of a row."""
    return row[0].strip("`")


def test_the_table_has_a_row_for_each_setting() -> None:
    """The table has one row for each setting of the code."""
    assert sorted(VARIABLES) == sorted(map(variable, ROWS))
    assert len(fields(Settings)) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=variable)
def test_the_table_tells_the_defaults(row: list[str]) -> None:
    """A setting that is given its default from the table is as if it were not given."""
    default = "" if " " in row[1] else row[1]  # In words, where it depends on the machine.
    assert Settings.from_environ({}) == Settings.from_environ({variable(row): default})


@pytest.mark.parametrize("row", [row for row in ROWS if " to " in row[2]], ids=variable)
def test_the_table_tells_the_bounds(row: list[str]) -> None:
    """The bounds of the table are accepted, and the numbers beyond them are not."""
    lowest, highest = (int(bound) for bound in re.findall(r"\d+", row[2])[:2])
    for accepted in (lowest, highest):
        Settings.from_environ({variable(row): str(accepted)})
    for rejected in (lowest - 1, highest + 1):
        with pytest.raises(SettingError, match=variable(row)):
            Settings.from_environ({variable(row): str(rejected)})


@pytest.mark.parametrize("row", [row for row in ROWS if "info" in row[2] or "auto" in row[2]], ids=variable)
def test_the_table_tells_the_choices(row: list[str]) -> None:
    """Each choice of the table is accepted, and there is no other."""
    for choice in row[2].split(", "):
        Settings.from_environ({variable(row): choice})
    with pytest.raises(SettingError) as error:
        Settings.from_environ({variable(row): "other"})
    assert f"one of {row[2]}" == error.value.accepted


def test_the_table_of_exit_statuses_has_each_status() -> None:
    """Each status that the service exits with has a row, and so have those of Python and of a kill."""
    assert STATUSES | {UNCAUGHT, KILLED} == {row[0] for row in table("docs/reference/exit-statuses.md")}


def test_the_table_of_signals_names_signals() -> None:
    """The page on stopping names signals that exist."""
    found = names([row[0] for row in table("docs/operations/stopping-and-reloading.md")])
    assert {"SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGTTIN", "SIGTTOU", "SIGUSR2"} == found


def read_traces(**environ: str) -> TraceSettings | None:
    """Read the settings of traces, with an address for them."""
    return TraceSettings.from_environ({ENDPOINT: "http://a:1"} | environ)


def test_the_table_of_traces_has_a_row_for_each_variable() -> None:
    """The table of traces has one row for each variable that is read."""
    assert sorted(trace_settings.VARIABLES) == sorted(map(variable, TRACES))


@pytest.mark.parametrize("row", [row for row in TRACES if row[1] != "none"], ids=variable)
def test_the_table_of_traces_tells_the_defaults(row: list[str]) -> None:
    """A variable that is given its default from the table is as if it were not given."""
    assert read_traces() == read_traces(**{variable(row): row[1]})


@pytest.mark.parametrize("row", TRACES, ids=variable)
def test_the_table_of_traces_tells_what_is_accepted(row: list[str]) -> None:
    """The message for a bad value says what the table says."""
    with pytest.raises(SettingError) as error:
        read_traces(**{variable(row): "\n" if "text" in row[2] else "a"})
    assert error.value.accepted in {row[2], f"one of {row[2]}", f"a whole number from {row[2]}"}
