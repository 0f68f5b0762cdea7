"""The start: what is checked before gunicorn takes over, by exit statuses."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app.observability.metric_files import MetricFiles
from app.serving import start
from app.serving.hooks import Hooks
from app.serving.http.limits import Limits

if TYPE_CHECKING:
    from tests.support.log_lines import Lines

Prepare = Callable[..., Hooks]


@pytest.fixture
def prepare(
    configured_logs: Callable[..., "Lines"],
    unchanged: None,  # noqa: ARG001 - in the end
    ports: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Prepare]:
    """Prepare a server with these variables, and no patience; its lines are in the file of the log."""
    lines = configured_logs()
    monkeypatch.setattr(start, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(start, "_prepared", None)
    with lines.path.open("a") as stream:

        def run(**environ: str) -> Hooks:
            environ = {"BIND": "127.0.0.1", "LOG_FORMAT": "json"} | ports | environ
            return start.prepare(environ, stream, shared_memory=tmp_path)

        yield run
    if start._prepared is not None:  # noqa: SLF001 - what is to be removed
        start._prepared.metrics_server.close()  # noqa: SLF001
        start._prepared.metric_files.remove()  # noqa: SLF001


@pytest.fixture
def lines(configured_logs: Callable[..., "Lines"]) -> "Lines":
    """Read what was logged."""
    return configured_logs()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "http"),
        ("METRICS_PORT", "0"),
        ("THREADS", "1.5"),
        ("LOG_FORMAT", "xml"),
        ("BIND", "localhost"),
        ("OTEL_TRACES_SAMPLER", "some"),
    ],
)
def test_bad_setting(prepare: Prepare, lines: "Lines", variable: str, value: str) -> None:
    """A bad setting ends the start with 78 and one line that names variable, value and what is accepted."""
    with pytest.raises(SystemExit) as end:
        prepare(**{variable: value})
    line = lines.only
    assert (78, "critical", variable) == (end.value.code, line["level"], line["variable"])
    assert line["event"].startswith(f"bad setting: {variable} is {value!r}, but must be ")


@pytest.mark.parametrize("variable", ["PORT", "METRICS_PORT"])
def test_taken_port(prepare: Prepare, lines: "Lines", taken_port: str, variable: str) -> None:
    """A port that is taken ends the start with 69 and one line that says which setting to change."""
    with pytest.raises(SystemExit) as end:
        prepare(**{variable: taken_port})
    line = lines.only
    assert (69, variable) == (end.value.code, line["variable"])
    assert line["event"].startswith(f"cannot listen on port {taken_port}: {os.strerror(errno.EADDRINUSE)}")
    assert line["event"].endswith(f"; set {variable} to another port")


def test_a_port_that_becomes_free(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers of a master that was killed have some seconds to give up its ports."""
    attempts: list[int] = []
    listen = start.listen_on_all

    def taken_at_first(chosen: Any, port: int) -> Any:
        attempts.append(port)
        if len(attempts) < 3:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return listen(chosen, port)

    monkeypatch.setattr(start, "PATIENCE_SECONDS", 20.0)
    monkeypatch.setattr(start, "listen_on_all", taken_at_first)
    prepare()
    assert 4 == len(attempts)


def test_a_port_that_is_not_permitted(prepare: Prepare, lines: "Lines", monkeypatch: pytest.MonkeyPatch) -> None:
    """A port for which the user has no right will not become free: there is nothing to wait for."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(start, "PATIENCE_SECONDS", 3600.0)
    monkeypatch.setattr(start, "listen_on_all", refuse)
    with pytest.raises(SystemExit) as end:
        prepare(PORT="80")
    expected = "cannot listen on port 80: Permission denied; set PORT to another port"
    assert (69, expected) == (end.value.code, lines.only["event"])


@pytest.mark.parametrize("address", ["192.0.2.1", "fe80::1%nope"])
def test_an_address_of_another_machine(
    prepare: Prepare, lines: "Lines", monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """There is nothing to wait for, and it is not the port that has to be changed."""
    monkeypatch.setattr(start, "PATIENCE_SECONDS", 3600.0)
    with pytest.raises(SystemExit) as end:
        prepare(BIND=address)
    line = lines.only
    assert (69, "BIND") == (end.value.code, line["variable"])
    assert line["event"].startswith(f"cannot listen on {address}: ")
    assert line["event"].endswith("; set BIND to this machine's own")


def test_a_metrics_port_that_is_taken_meanwhile(
    prepare: Prepare, ports: dict[str, str], lines: "Lines", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another program takes the port after it was found free, the line names it."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EADDRINUSE, "Address already in use")

    monkeypatch.setattr(start, "Hooks", refuse)
    with pytest.raises(SystemExit) as end:
        prepare()
    line = lines.only
    expected = (69, "METRICS_PORT", f"cannot listen on port {ports['METRICS_PORT']}: Address already in use")
    assert expected == (end.value.code, line["variable"], line["event"])


def test_no_room_for_the_metrics(prepare: Prepare, lines: "Lines", monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the files of the metrics cannot be made, the start ends with 73 and one line that names the place."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/full")

    monkeypatch.setattr(MetricFiles, "__init__", refuse)
    with pytest.raises(SystemExit) as end:
        prepare()
    expected = (73, "cannot create the metric files in /full: No space left on device")
    assert expected == (end.value.code, lines.only["event"])


def test_start(prepare: Prepare, ports: dict[str, str], tmp_path: Path) -> None:
    """With good settings and free ports there is all that the processes share, once."""
    hooks = prepare(WEB_CONCURRENCY="3", MAX_BODY_BYTES="17", KEEP_ALIVE="5")
    assert ([f"127.0.0.1:{ports['PORT']}"], 3) == (hooks.bind, hooks.workers)
    assert (Limits(17, 5.0), tmp_path) == (hooks.limits, hooks.metric_files.directory.parent)
    assert hooks is start.hooks()


def test_hooks_are_made_from_the_environment(
    prepare: Prepare, ports: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing has been prepared, the environment of the process counts."""
    assert callable(prepare)
    for name, value in (ports | {"BIND": "127.0.0.1", "WEB_CONCURRENCY": "5"}).items():
        monkeypatch.setenv(name, value)
    assert 5 == start.hooks().workers


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({}, None), ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, "http://collector:4318/v1/traces")],
)
def test_traces(prepare: Prepare, variables: dict[str, str], expected: str | None) -> None:
    """The settings of traces are read together with the others."""
    settings = prepare(**variables).trace_settings
    assert expected == (settings and settings.endpoint)
