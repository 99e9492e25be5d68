"""Rolling use of every account in memory, and the ledger's time. Rebuilt from the file whenever in doubt."""

import sqlite3
from collections.abc import Iterable, Mapping

from signer.domain.accounts import AccountId
from signer.domain.budget import Charge, Resource, RollingLimit
from signer.domain.rolling import RollingUse, oldest_counted
from signer.domain.rotation import family
from signer.domain.time import UnixMs

_LAST_MOMENT = "SELECT coalesce(max(at), 0) FROM (SELECT at FROM events ORDER BY cursor DESC LIMIT 1)"
_LIVE_CHARGES = """
SELECT t.account, c.resource, c.amount, c.dated_at
FROM charges AS c JOIN transactions AS t ON t.id = c.transaction_id
WHERE c.dated_at IS NULL OR c.dated_at >= ?
"""


class Book:
    """What has been used, per account and resource: totals only. Only units that succeeded change it.

    Which transaction was charged what, the file knows; who drops a charge reads there how it was counted.
    """

    def __init__(self, latest: UnixMs) -> None:
        self._uses: dict[tuple[AccountId, Resource], RollingUse] = {}
        self._latest = latest
        self._families: Mapping[AccountId, frozenset[AccountId]] = {}

    @property
    def latest(self) -> UnixMs:
        """Ledger time: the latest moment seen."""
        return self._latest

    def moment(self, now: UnixMs) -> UnixMs:
        """Ledger time at `now`: never earlier than before, whatever the clock does."""
        self._latest = max(self._latest, now)
        return self._latest

    def usage(
        self, account: AccountId, limits: Iterable[RollingLimit], now: UnixMs
    ) -> dict[tuple[Resource, int], int]:
        """Amount used by (resource, window in seconds), by the account and all that rotations tie to it."""
        relatives = self._families.get(account)
        if relatives is None:
            return self.own_usage(account, limits, now)
        return {
            (limit.resource, limit.window_s): sum(
                self._use(one, limit.resource).used(limit.window_s, now) for one in relatives
            )
            for limit in limits
        }

    def own_usage(
        self, account: AccountId, limits: Iterable[RollingLimit], now: UnixMs
    ) -> dict[tuple[Resource, int], int]:
        """Amount used by (resource, window in seconds), by this account alone."""
        return {
            (limit.resource, limit.window_s): self._use(account, limit.resource).used(limit.window_s, now)
            for limit in limits
        }

    def relate(self, links: Iterable[tuple[AccountId, AccountId]]) -> None:
        """Let the accounts that rotations (old, new) connect share one budget (ADR 0045)."""
        edges = tuple(links)
        self._families = {one: family(one, edges) for edge in edges for one in edge}

    def put(self, account: AccountId, charge: Charge, dated_at: UnixMs | None) -> None:
        """Count a charge from its date on, or until further notice when it has none."""
        self._use(account, charge.resource).put(charge.amount, dated_at)

    def drop(self, account: AccountId, charge: Charge, dated_at: UnixMs | None) -> None:
        """Count a charge no more that was put with this amount and date."""
        self._use(account, charge.resource).drop(charge.amount, dated_at)

    def _use(self, account: AccountId, resource: Resource) -> RollingUse:
        key = (account, resource)
        use = self._uses.get(key)
        if use is None:
            use = self._uses[key] = RollingUse(self._latest)
        return use


def load_book(connection: sqlite3.Connection) -> Book:
    """Read every charge that still counts. Raises sqlite3.Error."""
    (last,) = connection.execute(_LAST_MOMENT).fetchone()
    book = Book(UnixMs(last))
    for account, resource, amount, dated_at in connection.execute(_LIVE_CHARGES, (oldest_counted(last),)):
        charge = Charge(resource=Resource(resource), amount=int(amount))
        book.put(AccountId(account), charge, dated_at)
    book.relate(connection.execute("SELECT old_account, new_account FROM rotations").fetchall())
    return book
