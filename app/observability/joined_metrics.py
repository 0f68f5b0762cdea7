"""The metrics of several collectors as one, each name once."""

from collections.abc import Iterable, Sequence

from prometheus_client import Metric
from prometheus_client.registry import Collector


class JoinedMetrics(Collector):
    """Joins the samples of metrics that have the same name: a registry would reject the second one.

    The usual first metric of prometheus-flask-exporter is an `app_info`, as is one of ours.
    """

    def __init__(self, collectors: Sequence[Collector]) -> None:
        self._collectors = collectors

    def collect(self) -> Iterable[Metric]:
        """Collect them all."""
        metrics: dict[str, Metric] = {}
        for collector in self._collectors:
            for metric in collector.collect():
                first = metrics.setdefault(metric.name, metric)
                if first is not metric:
                    first.samples.extend(metric.samples)
        return metrics.values()
