"""Metrics of the whole process tree, which is what an operator pays for, not only of the process that answers."""

import platform
from collections.abc import Iterable

import psutil
from prometheus_client import Metric
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from app.observability.scoreboard import CONNECTIONS, IN_PROGRESS, WAITING, Scoreboard
from app.version import __version__


class ProcessMetrics(Collector):
    """Reads the operating system and the scoreboard at each scrape.

    Besides the workers on the scoreboard it covers the master process and `others`: the one that serves the metrics.
    """

    def __init__(self, scoreboard: Scoreboard, master: int, others: Iterable[int], revision: str) -> None:
        self._scoreboard = scoreboard
        self._master = psutil.Process(master)
        self._others = tuple(others)
        self._revision = revision
        self._cpu_seconds = 0.0

    def collect(self) -> Iterable[Metric]:
        """Read them now."""
        workers = self._scoreboard.pids()
        processes = [self._master]
        resident_bytes = descriptors = 0
        # Read the CPU time of ended children first: a worker that ends in between is then missing from this scrape
        # only, and the highest value so far stands.
        times = self._master.cpu_times()
        cpu_seconds = times.children_user + times.children_system
        for pid in {*self._others, *workers} - {self._master.pid}:
            try:
                processes.append(psutil.Process(pid))
            except psutil.NoSuchProcess:
                continue
        for process in processes:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    memory = _memory_bytes(process)
                    descriptors += process.num_fds()
            except psutil.Error:  # It has ended.
                continue
            cpu_seconds += times.user + times.system
            resident_bytes += memory
        self._cpu_seconds = max(self._cpu_seconds, cpu_seconds)
        yield GaugeMetricFamily("process_resident_memory_bytes", "Resident memory of all processes.", resident_bytes)
        yield CounterMetricFamily("process_cpu_seconds", "CPU time of all processes, past ones too.", self._cpu_seconds)
        yield GaugeMetricFamily(
            "process_start_time_seconds", "Start of the server, Unix time.", self._master.create_time()
        )
        yield GaugeMetricFamily("process_open_fds", "Open file descriptors of all processes.", descriptors)
        yield GaugeMetricFamily("gunicorn_workers", "Workers that are alive.", len(workers))
        for name, help_text, column in (
            ("http_connections", "Connections that are open.", CONNECTIONS),
            ("http_requests_waiting", "Requests that are complete and wait for the application.", WAITING),
            ("http_requests_in_progress", "Requests that the application works on.", IN_PROGRESS),
        ):
            yield GaugeMetricFamily(name, help_text, sum(self._scoreboard.column(column)))
        info = GaugeMetricFamily("app_info", "What is running.", labels=["version", "revision", "python"])
        info.add_metric([__version__, self._revision, platform.python_version()], 1)
        yield info


def _memory_bytes(process: psutil.Process) -> int:
    # If the system reports the proportional set size, the sum over the tree is the memory that the tree takes. The sum
    # of the resident sizes would be twice that: the workers share most of their memory with the master.
    memory = process.memory_full_info()
    size: int = getattr(memory, "pss", memory.rss)
    return size
