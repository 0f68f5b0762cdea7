"""The port of the metrics: what it answers, and that it always does."""

import gzip
import http.client
import platform
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.support.http_client import Client, get
from tests.support.scraping import Scrape, metrics_process, scrape
from tests.support.service import Service, running, wait_until

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

# Prometheus 3 asks so.
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)

# What is called so belongs to any service, and not to what this one is for.
GENERIC = ("http_", "gunicorn_", "process_", "app_", "log_", "flask_", "python_")

METRICS = {
    "http_request_duration_seconds": "histogram",
    "http_connections": "gauge",
    "http_requests_in_progress": "gauge",
    "http_requests_waiting": "gauge",
    "http_requests_rejected": "counter",
    "log_lines_dropped": "counter",
    "app_info": "gauge",
    "gunicorn_workers": "gauge",
    "gunicorn_worker_exits": "counter",
    "process_resident_memory_bytes": "gauge",
    "process_cpu_seconds": "counter",
    "process_start_time_seconds": "gauge",
    "process_open_fds": "gauge",
}


def test_text_by_default(service: Service) -> None:
    """A client without a wish gets the text format, with the metrics that any service has."""
    answer = scrape(service)
    assert (200, "text/plain") == (answer.status, answer.content_type.split(";")[0])
    families = {family.name: family.type for family in parse_text(answer.text)}
    assert METRICS.items() <= families.items()
    assert {} == {name: kind for name, kind in families.items() if name.startswith(GENERIC) and name not in METRICS}


@pytest.mark.parametrize("accept", [OPENMETRICS, PROMETHEUS])
def test_openmetrics_by_accept(service: Service, accept: str) -> None:
    """Prometheus is given OpenMetrics, which the strict parser takes."""
    answer = scrape(service, accept=accept)
    assert (200, "application/openmetrics-text") == (answer.status, answer.content_type.split(";")[0])
    assert METRICS.items() <= {family.name: family.type for family in parse_openmetrics(answer.text)}.items()


def test_every_metric_has_a_help_text(service: Service) -> None:
    """Each metric says what it is, and in its own words."""
    texts = [family.documentation for family in parse_text(scrape(service).text)]
    assert len(texts) == len({text for text in texts if text})


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/metrics?name=x", 200),
        ("HEAD", "/metrics", 200),
        ("POST", "/metrics", 405),
        ("BREW", "/metrics", 501),
        ("GET", "/", 404),
        ("GET", "/metrics/", 404),
        ("GET", "//metrics", 404),
        ("GET", "/healthz", 404),
        ("GET", "/readyz", 404),
        ("GET", "/debug/pprof", 404),
    ],
)
def test_nothing_but_the_metrics(service: Service, method: str, path: str, expected: int) -> None:
    """The port has one path."""
    assert expected == scrape(service, path, method=method).status


def test_head_is_get_without_the_body(service: Service) -> None:
    """HEAD tells the type and no text."""
    answer = scrape(service, method="HEAD")
    assert (scrape(service).content_type, "") == (answer.content_type, answer.text)


def test_a_wrong_method_is_told_the_right_one(service: Service) -> None:
    """A 405 names the methods that are allowed, and OPTIONS asks for them."""
    assert "GET" in get(service.metrics_port, "/metrics", method="POST").headers["allow"]
    assert 200 == get(service.metrics_port, "/metrics", method="OPTIONS").status


def test_some_metrics_by_name(service: Service) -> None:
    """`name[]` asks for some metrics, as Prometheus does for a federation."""
    answer = scrape(service, "/metrics?name[]=gunicorn_workers&name[]=app_info")
    assert {"gunicorn_workers", "app_info"} == {family.name for family in parse_text(answer.text)}


def test_a_version_that_is_none(service: Service) -> None:
    """A format is asked for with a version, and one that is no number is no bug."""
    assert 200 == scrape(service, accept="application/openmetrics-text; version=x").status


def test_gzip(service: Service) -> None:
    """A scraper that takes gzip gets it."""
    answer = get(service.metrics_port, "/metrics", "Accept-Encoding: gzip")
    assert "gzip" == answer.headers["content-encoding"]
    assert "http_connections" in gzip.decompress(answer.body).decode()


def test_404_is_a_problem(service: Service) -> None:
    """What is not found is told in the form of all errors."""
    answer = get(service.metrics_port, "/")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (404, "Not Found") == (answer.json()["status"], answer.json()["title"])
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


def test_a_connection_serves_many_scrapes(service: Service) -> None:
    """Prometheus keeps its connection."""
    connection = http.client.HTTPConnection("127.0.0.1", service.metrics_port, timeout=20)
    with ExitStack() as stack:
        stack.callback(connection.close)
        for _ in range(3):
            connection.request("GET", "/metrics")
            response = connection.getresponse()
            assert (200, True) == (response.status, len(response.read()) > 0)
            assert response.headers["Connection"] == "keep-alive"


def test_scrapes_are_no_requests(service: Service) -> None:
    """A scrape is neither counted nor logged."""
    before = (scrape(service).counting(), service.requests())
    get(service.metrics_port, "/nowhere")
    after = (scrape(service).counting(), service.requests())
    for values, _ in (before, after):
        del values["process_cpu_seconds_total"]
    assert before == after


def test_the_port_of_the_service_has_no_metrics(service: Service) -> None:
    """A client of the service does not reach its metrics."""
    assert get(service.port, "/metrics").status == 404


def test_silent_clients_do_not_keep_others_from_the_metrics(service: Service) -> None:
    """More connections than the port has room for, each of them silent, keep no scrape from its answer."""
    with ExitStack() as stack:
        for _ in range(80):
            stack.enter_context(Client(service.metrics_port))
        assert scrape(service).status == 200


@pytest.mark.parametrize("request_bytes", [b"nonsense\r\n\r\n", b"GET /" + b"a" * 10_000])
def test_nonsense_does_not_end_it(service: Service, request_bytes: bytes) -> None:
    """What is no HTTP is refused, and the next scrape is answered."""
    process = metrics_process(service)
    with Client(service.metrics_port) as client:
        assert client.ask(request_bytes).status in {400, 414}
    assert scrape(service).status == 200
    assert process == metrics_process(service)


def test_process_metrics_cover_the_whole_tree(service: Service) -> None:
    """Memory, descriptors and processor time are those of the master, its workers and the metrics process."""
    tree = service.tree()
    assert 4 == len(tree)
    seconds = sum(sum(process.cpu_times()[:2]) for process in tree)
    answer = scrape(service).samples
    assert 2 == answer["gunicorn_workers"]
    assert tree[0].create_time() == pytest.approx(answer["process_start_time_seconds"], abs=1)
    # Where the system tells how processes share memory, what they share is counted once.
    sizes = [process.memory_full_info() for process in tree]
    memory = sum(getattr(size, "pss", size.rss) for size in sizes)
    assert memory == pytest.approx(answer["process_resident_memory_bytes"], rel=0.2)
    assert sum(process.num_fds() for process in tree) == pytest.approx(answer["process_open_fds"], abs=8)
    # In the kernel's ticks of 10 ms: two sums of the same ticks differ by a rounding error.
    assert round(seconds * 100) <= round(answer["process_cpu_seconds_total"] * 100)


def test_app_info(output: Path) -> None:
    """The labels tell which version of what is running; and no process that forks has threads."""
    with running(output, REVISION='a"b\\c', WEB_CONCURRENCY=1) as service:
        (info,) = [family for family in parse_text(scrape(service).text) if family.name == "app_info"]
        version = get(service.port, "/version").json()
        assert [(version, 1.0)] == [(sample.labels, sample.value) for sample in info.samples]
        assert 'a"b\\c' == version["revision"]
        assert platform.python_version() == version["python"]
        assert 1 == psutil.Process(service.process.pid).num_threads()


def test_a_scrape_answers_while_all_workers_are_busy(output: Path, tmp_path: Path) -> None:
    """Eight requests that keep every thread busy keep no scrape from its answer, within a second."""
    gate = tmp_path / "gate"
    with running(output, arguments=[], THREADS=4) as service, ExitStack() as stack:
        clients: list[Client] = []

        def all_are_busy() -> bool:
            samples = scrape(service).samples
            if samples["http_requests_in_progress"] + samples["http_requests_waiting"] == len(clients):
                clients.append(stack.enter_context(Client(service.port)))
                clients[-1].send(f"GET /wait?gate={gate} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
            return samples["http_requests_in_progress"] == 8

        wait_until(all_are_busy, "all threads are busy")

        def scrape_within_a_second() -> Scrape | None:
            try:
                return scrape(service, seconds=1.0)
            except TimeoutError:  # Of a machine that is busy with something else: once in a while is enough.
                return None

        answer = wait_until(scrape_within_a_second, "a scrape is answered within a second")
        assert answer is not None
        assert 8 == answer.samples["http_requests_in_progress"]
        stack.callback(gate.touch)
        gate.touch()
        assert [200] * len(clients) == [client.receive().status for client in clients]
        assert 0 == scrape(service).samples["http_requests_in_progress"]
