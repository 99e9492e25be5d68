"""Questions to the books as a whole: do they close, and what did trading leave. Reads only."""

from collections.abc import Mapping, Sequence

from trader.adapters.postgres.part import Part
from trader.adapters.postgres.rows import ORDER, order_of
from trader.domain.ids import AssetId, WalletId
from trader.domain.orders import Order
from trader.portfolio.pnl import BookedSwap, Position, positions
from trader.portfolio.postings import holds, incoming


class BooksOpenError(Exception):
    """Entries, balances and the holds of open orders disagree. A mistake of ours, never caught."""


class Reports(Part):
    """`close_books` and `positions`."""

    async def close_books(self, wallet: WalletId) -> Mapping[AssetId, int]:
        """What the wallet has on the chain according to the books, base units by asset.

        Raises BooksOpenError when balances are not the sum of their entries, or when what is reserved or
        incoming is not what open orders hold. One snapshot; reads every entry of the wallet.
        """
        async with self._database.transaction() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            rows = await connection.fetch(_COMPARE, wallet)
            holding = await connection.fetch(_HOLDING, wallet)
        open_orders = [order_of(row) for row in holding]
        wrong = [
            f"{row['asset']}: balance {tuple(row.values())[1:4]}, entries {tuple(row.values())[4:]}, "
            f"open orders {expected}"
            for row in rows
            for expected in [_expected(AssetId(row["asset"]), open_orders)]
            if (row["free"], row["reserved"]) != (row["entries_free"], row["entries_reserved"])
            or (row["reserved"], row["incoming"]) != expected
        ]
        if wrong:
            raise BooksOpenError(f"{wallet}: " + "; ".join(wrong))
        return {AssetId(row["asset"]): int(row["free"] + row["reserved"]) for row in rows}

    async def positions(self, wallet: WalletId, base: AssetId) -> Sequence[Position]:
        """What settled swaps against `base` left, with average cost and realised profit in `base`.

        Swaps of the wallet's predecessors count: a rotation changes where the funds are, not what they cost.
        """
        rows = await self._database.fetch(_SETTLED, wallet)
        swaps = (
            BookedSwap(
                asset_in=AssetId(row["asset_in"]),
                asset_out=AssetId(row["asset_out"]),
                spent=int(row["amount_spent"]),
                received=int(row["amount_received"]),
            )
            for row in rows
        )
        return positions(swaps, base)


def _expected(asset: AssetId, open_orders: Sequence[Order]) -> tuple[int, int]:
    """Reserved and incoming, as open orders have them."""
    return (
        sum(holds(order).get(asset, 0) for order in open_orders),
        sum(incoming(order) for order in open_orders if order.asset_out == asset),
    )


_COMPARE = """
WITH entries AS (
  SELECT asset,
         coalesce(sum(amount) FILTER (WHERE account = 'wallet/free'), 0) AS entries_free,
         coalesce(sum(amount) FILTER (WHERE account = 'wallet/reserved'), 0) AS entries_reserved
    FROM ledger_entries WHERE wallet = $1 GROUP BY asset
)
SELECT asset, coalesce(free, 0) AS free, coalesce(reserved, 0) AS reserved,
       coalesce(incoming, 0) AS incoming,
       coalesce(entries_free, 0) AS entries_free, coalesce(entries_reserved, 0) AS entries_reserved
  FROM (SELECT * FROM balances WHERE wallet = $1) AS b FULL JOIN entries USING (asset) ORDER BY asset
"""
_HOLDING = f"""
SELECT {ORDER} FROM orders WHERE wallet = $1 AND closed_at IS NULL AND reserved_at IS NOT NULL
"""  # noqa: S608  column names of our own
_SETTLED = """
SELECT asset_in, asset_out, amount_spent, amount_received FROM orders
 WHERE wallet = ANY ($1::text || (SELECT predecessors FROM wallets WHERE id = $1))
   AND state = 'settled' AND kind = 'swap' ORDER BY closed_at, id
"""
