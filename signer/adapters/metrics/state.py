"""What state the signer is in now: its accounts, and whether the parts that it needs work."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from signer.domain.accounts import AccountId, AccountState


class StateMetrics(Collector):
    """`accounts` gives the state of each; `parts` whether each part works (`vault`, `checkpoints` …)."""

    def __init__(
        self,
        *,
        accounts: Callable[[], Mapping[AccountId, AccountState]],
        parts: Mapping[str, Callable[[], bool]],
    ) -> None:
        self._accounts = accounts
        self._parts = parts

    @override
    def collect(self) -> Iterator[Metric]:
        """One series for each account and part."""
        accounts = GaugeMetricFamily(
            "airlock_account", "1 for the state in which an account is.", labels=("account", "state")
        )
        for account, state in self._accounts().items():
            accounts.add_metric((account, state), 1)
        up = GaugeMetricFamily("airlock_up", "1 while this part works.", labels=("part",))
        for part, works in self._parts.items():
            up.add_metric((part,), int(works()))
        return iter((accounts, up))
