"""Counts calls by plain additions, and shows them to Prometheus when it asks.

The library's own counters take a lock for each step, which is more than the path of a signature should pay.
These are touched by the event loop only; whoever reads them sees whole numbers.
"""

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

_NS_PER_S = 1_000_000_000
_BOUNDS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
_BOUNDS_NS = tuple(bound * 1_000_000 for bound in _BOUNDS_MS)
_LE = (*(f"{bound / 1_000:g}" for bound in _BOUNDS_MS), "+Inf")


class _Method:
    """Figures of one method."""

    __slots__ = ("answered", "buckets", "denied", "failed", "total_ns")

    def __init__(self) -> None:
        self.answered = self.denied = self.failed = self.total_ns = 0
        self.buckets = [0] * len(_LE)

    def took(self, nanoseconds: int) -> None:
        self.total_ns += nanoseconds
        self.buckets[bisect_left(_BOUNDS_NS, nanoseconds)] += 1


class CallMetrics(Collector):
    """Implements `signer.ports.meter.CallMeter`. Methods and reasons are the contract's, so few."""

    def __init__(self) -> None:
        self._methods: defaultdict[str, _Method] = defaultdict(_Method)
        self._denials: defaultdict[str, int] = defaultdict(int)
        self._failures: defaultdict[str, int] = defaultdict(int)
        self._in_flight = 0
        self._streams = 0

    def begun(self) -> int:
        """A call begins; its mark is the time, nanoseconds."""
        self._in_flight += 1
        return time.perf_counter_ns()

    def answered(self, method: str, mark: int) -> None:
        """It was answered."""
        figures = self._methods[method]
        figures.answered += 1
        figures.took(time.perf_counter_ns() - mark)
        self._in_flight -= 1

    def denied(self, method: str, mark: int, reasons: Iterable[str]) -> None:
        """The policy said no; each violated rule counts."""
        figures = self._methods[method]
        figures.denied += 1
        figures.took(time.perf_counter_ns() - mark)
        self._in_flight -= 1
        for reason in reasons:
            self._denials[reason] += 1

    def failed(self, method: str, mark: int, reason: str) -> None:
        """No verdict and no signature."""
        figures = self._methods[method]
        figures.failed += 1
        figures.took(time.perf_counter_ns() - mark)
        self._in_flight -= 1
        self._failures[reason] += 1

    def stream_opened(self) -> None:
        """A stream was opened."""
        self._streams += 1

    def stream_closed(self) -> None:
        """A stream was closed."""
        self._streams -= 1

    @override
    def collect(self) -> Iterator[Metric]:
        """Everything as Prometheus wants it."""
        yield _gauge("airlock_calls_in_flight", "Requests that are being worked on.", self._in_flight)
        yield _gauge("airlock_streams_open", "Streams of changes that are open.", self._streams)
        yield self._ended()
        yield self._took()
        yield _by_reason(
            "airlock_denials", "Rules that said no; one call may violate several.", self._denials
        )
        yield _by_reason("airlock_failures", "Calls without a verdict, by reason.", self._failures)

    def _ended(self) -> Metric:
        text = "Calls that ended: answered (for a signing method: with a signature), denied, failed."
        family = CounterMetricFamily("airlock_calls", text, labels=("method", "outcome"))
        for method, figures in self._methods.items():
            family.add_metric((method, "answered"), figures.answered)
            family.add_metric((method, "denied"), figures.denied)
            family.add_metric((method, "failed"), figures.failed)
        return family

    def _took(self) -> Metric:
        text = "From the first byte of a call to its answer, whatever the answer."
        family = HistogramMetricFamily("airlock_call_seconds", text, labels=("method",))
        for method, figures in self._methods.items():
            below, buckets = 0, []
            for bound, count in zip(_LE, figures.buckets, strict=True):
                below += count
                buckets.append((bound, below))
            family.add_metric((method,), buckets, sum_value=figures.total_ns / _NS_PER_S)
        return family


def _gauge(name: str, text: str, value: int) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _by_reason(name: str, text: str, counts: dict[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=("reason",))
    for reason, count in counts.items():
        family.add_metric((reason,), count)
    return family
