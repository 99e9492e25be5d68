"""What waits for a person: how many, and for how long already. Says nothing of what it is about."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override


class ApprovalMetrics(Collector):
    """`waiting` gives, for each device with requests, how long each of them has waited, milliseconds."""

    def __init__(self, waiting: Callable[[], Mapping[str, tuple[int, ...]]]) -> None:
        self._waiting = waiting

    @override
    def collect(self) -> Iterator[Metric]:
        """One series for each device that somebody is wanted at."""
        count = GaugeMetricFamily(
            "airlock_approvals_waiting", "Requests that wait for a person.", labels=("device",)
        )
        oldest = GaugeMetricFamily(
            "airlock_approvals_oldest_seconds", "How long the oldest has waited.", labels=("device",)
        )
        for device, ages_ms in self._waiting().items():
            count.add_metric((device,), len(ages_ms))
            oldest.add_metric((device,), max(ages_ms, default=0) / 1_000)
        return iter((count, oldest))
