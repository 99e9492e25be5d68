"""Age of everything that rotates, when it is due, and how far checkpoints are: as the last look found it."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from signer.domain.time import MS_PER_S
from signer.ports.clock import Clock
from signer.service.audit_checkpoints import CheckpointState
from signer.service.rotation_schedule import Entry, Urgency

_LABELS = ("what", "name")


class RotationMetrics(Collector):
    """As many series as there are keys, accounts and certificates in the settings."""

    def __init__(self, entries: Callable[[], Sequence[Entry]], clock: Clock) -> None:
        self._entries = entries
        self._clock = clock

    @override
    def collect(self) -> Iterator[Metric]:
        """Seconds, whole ones."""
        now = self._clock.now()
        age = GaugeMetricFamily("airlock_rotation_age_seconds", "Age of what rotates.", labels=_LABELS)
        due = GaugeMetricFamily(
            "airlock_rotation_due_seconds", "Until it is due; negative: overdue by so much.", labels=_LABELS
        )
        unknown = GaugeMetricFamily(
            "airlock_rotation_unknown", "1 for what could not be looked at.", labels=_LABELS
        )
        for entry in self._entries():
            labels = (entry.what, entry.name)
            if (age_s := entry.age_s(now)) is not None:
                age.add_metric(labels, age_s)
            if (due_in_s := entry.due_in_s(now)) is not None:
                due.add_metric(labels, due_in_s)
            unknown.add_metric(labels, int(entry.urgency is Urgency.UNKNOWN))
        return iter((age, due, unknown))


class CheckpointMetrics(Collector):
    """How far the audit checkpoints are behind the trail."""

    def __init__(self, state: Callable[[], CheckpointState], clock: Clock) -> None:
        self._state = state
        self._clock = clock

    @override
    def collect(self) -> Iterator[Metric]:
        """Three figures."""
        state = self._state()
        delayed_ms = 0 if state.failing_since is None else self._clock.now() - state.failing_since
        for name, text, value in (
            ("airlock_audit_checkpoint_record", "Record of the newest checkpoint.", state.last_seq),
            ("airlock_audit_uncovered_records", "Records after the newest checkpoint.", state.uncovered),
            (
                "airlock_audit_checkpoint_delayed_seconds",
                "For how long checkpoints have been failing; 0 while they work.",
                max(delayed_ms // MS_PER_S, int(state.failing_since is not None)),
            ),
        ):
            yield GaugeMetricFamily(name, text, value=value)
