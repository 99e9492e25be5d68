"""Wallets of several accounts: which share limits, and which order followed which. Decides nothing."""

from collections.abc import Sequence

from trader.adapters.postgres.part import Part
from trader.adapters.postgres.rows import ORDER, order_of
from trader.domain.ids import OrderId, WalletId
from trader.domain.orders import Order


class Groups(Part):
    """`line_of` and `group_wallets`."""

    async def line_of(self, order: OrderId) -> Sequence[Order]:
        """The order, the one that it follows, and so on, newest first."""
        return tuple(order_of(row) for row in await self._database.fetch(_LINE, order))

    async def group_wallets(self, group: str, wallets: Sequence[WalletId]) -> None:
        """Reservations look for the name under the wallets' locks: see refuse_reservation."""
        await self._database.fetchval(_GROUP, group, list(wallets))


_LINE = f"""
WITH RECURSIVE line AS (
  SELECT orders.*, 0 AS step FROM orders WHERE id = $1
  UNION ALL
  SELECT o.*, step + 1 FROM line JOIN orders o ON o.id = line.follows WHERE step < 1000
)
SELECT {ORDER} FROM line ORDER BY step
"""  # noqa: S608  column names of our own
_GROUP = """
UPDATE wallets SET wallet_group = CASE WHEN id = ANY ($2::text[]) THEN $1 END
 WHERE (wallet_group = $1) <> (id = ANY ($2::text[])) OR (wallet_group IS NULL AND id = ANY ($2::text[]))
"""
