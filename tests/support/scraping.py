"""What Prometheus sees of a service: its samples, and the process and the files behind them."""

import http.client
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.support import example
from tests.support.service import LIMIT_SECONDS, Service, wait_until

# A sample with one of these names is of a counter or a histogram, and never goes back.
COUNTING = ("_total", "_count", "_sum", "_bucket")
REQUESTS = "http_request_duration_seconds_count"
ANSWERED = f'{REQUESTS}{{method="{example.METHOD}",route="{example.ROUTE}",status="200"}}'  # Of honest requests.


@dataclass(frozen=True)
class Scrape:
    """The answer to a scrape; each sample by its name and labels, as they stand in the text."""

    status: int
    content_type: str
    text: str

    @property
    def samples(self) -> dict[str, float]:
        """The value of each sample."""
        lines = [line.rpartition(" ") for line in self.text.splitlines() if not line.startswith("#")]
        return {sample: float(value) for sample, _, value in lines}

    def counting(self) -> dict[str, float]:
        """Return the samples that never go back."""
        return {sample: value for sample, value in self.samples.items() if sample.split("{")[0].endswith(COUNTING)}

    def total(self, name: str) -> float:
        """Add up all samples of one name."""
        return sum(value for sample, value in self.samples.items() if sample.split("{")[0] == name)


def scrape(
    service: Service,
    path: str = "/metrics",
    *,
    method: str = "GET",
    accept: str = "*/*",
    seconds: float = LIMIT_SECONDS,
) -> Scrape:
    """Scrape a service once, on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", service.metrics_port, timeout=seconds)
    try:
        connection.request(method, path, headers={"Accept": accept})
        response = connection.getresponse()
        return Scrape(response.status, response.headers["Content-Type"], response.read().decode())
    finally:
        connection.close()


def wait_for_metrics(service: Service) -> Scrape:
    """Wait until a service that has just been started answers a scrape; no other request has reached it before."""

    def first_scrape() -> Scrape | None:
        assert service.process.poll() is None, service.text()
        with suppress(ConnectionError):
            return scrape(service)
        return None

    answer = wait_until(first_scrape, "the metrics are served")
    assert answer is not None
    return answer


def metrics_process(service: Service) -> psutil.Process:
    """Find the process that serves the metrics: the one below the master that is no worker."""

    def others() -> list[psutil.Process]:
        booted = {line["pid"] for line in service.lines() if line["event"].startswith("Booting worker")}
        with suppress(psutil.NoSuchProcess):
            children = [child for child in service.tree()[1:] if child.pid not in booted]
            return [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
        return []

    return wait_until(lambda: others()[:1], "the metrics process runs")[0]


def metrics_folder(service: Service) -> Path:
    """Find the folder of the files behind the metrics: the master has its own open."""
    paths = [Path(file.path) for file in psutil.Process(service.process.pid).open_files()]
    (folder,) = {path.parent for path in paths if path.suffix == ".db"}
    return folder
