"""Moves of the books to a successor. Refuses to book one twice, or from books that changed since."""

from collections.abc import Iterable, Mapping, Sequence

import asyncpg

from trader.adapters.postgres.part import Part, call
from trader.adapters.postgres.rows import booking_columns
from trader.domain.ids import AssetId, WalletId
from trader.domain.moves import Move, Settlement, Standing
from trader.domain.time import UnixMs
from trader.portfolio.moves import postings_of
from trader.ports.move_store import MoveLine, MoveRecord, MoveVerdict


class Moves(Part):
    """The port `MoveStore`."""

    async def standing(self, configured: WalletId) -> Standing:
        """The newest successor of a wallet, or itself, and the move that is under way."""
        row = await self._database.fetchrow(_STANDING, configured)
        if row is None:
            return Standing(wallet=configured)
        wallet = WalletId(row["trades"])
        return Standing(wallet=wallet, move=None if row["id"] is None else _move(row))

    async def begin_move(self, wallet: WalletId, other: WalletId, target: WalletId, now: UnixMs) -> None:
        """No reservation of `wallet` from here on. Raises ValueError for a wallet that was never opened."""
        if await self._database.fetchval(_BEGIN, wallet, other, target, now) is not True:
            raise ValueError(f"wallet {wallet} was never opened: only the books of an open wallet can move")

    async def aim_move(self, move: Move, target: WalletId, now: UnixMs) -> None:
        """The rotation was turned round."""
        await self._database.fetchval(_AIM, move.id, target, now)

    async def book_move(
        self, move: Move, settlement: Settlement, *, explained: Sequence[str], now: UnixMs
    ) -> MoveVerdict:
        """Both wallets' entries and balances, who trades now, and the record; or nothing."""
        ours, theirs = settlement.wallet, settlement.other
        assets = sorted({**ours.before.chain, **(ours.before.books or {}), **(theirs.before.books or {})})
        verdict = await self._database.fetchval(
            _BOOK,
            move.id,
            move.wallet,
            move.other,
            move.target,
            now,
            settlement.block_number,
            settlement.agreed_block,
            "|".join(f"^{beginning}" for beginning in explained),
            [passage.transaction_hash for passage in settlement.passages],
            assets,
            _amounts(ours.before.books or {}, assets),
            None if theirs.before.books is None else _amounts(theirs.before.books, assets),
            *booking_columns(postings_of(ours), {}),
            *booking_columns(postings_of(theirs), {}),
            _amounts(settlement.of(move.target).moved, assets),
            [ours.fees.get(asset, 0) + theirs.fees.get(asset, 0) for asset in assets],
            _amounts(settlement.of(move.source).before.chain, assets),
        )
        return MoveVerdict(str(verdict))

    async def moves(self, wallet: WalletId) -> Sequence[MoveRecord]:
        """Moves of a wallet and of its predecessors, newest first."""
        rows = await self._database.fetch(_MOVES, wallet)
        lines = await self._database.fetch(_LINES, [row["id"] for row in rows])
        return tuple(_record(row, (line for line in lines if line["move_id"] == row["id"])) for row in rows)

    async def predecessors(self, wallet: WalletId) -> Sequence[WalletId]:
        """Wallets whose orders count as this one's."""
        found = await self._database.fetchrow("SELECT predecessors FROM wallets WHERE id = $1", wallet)
        return () if found is None else tuple(WalletId(name) for name in found["predecessors"])

    async def nonces_of_orders(self, wallet: WalletId, nonces: Sequence[int]) -> frozenset[int]:
        """Those that orders of ours used, and whose effect is in the books."""
        rows = await self._database.fetch(_NONCES, wallet, list(nonces))
        return frozenset(int(row["nonce"]) for row in rows)

    async def books_agreed(self, wallet: WalletId, block_number: int) -> None:
        """Books and chain were seen equal up to this final block."""
        await self._database.fetchval(_AGREED, wallet, block_number)

    async def balances_of(self, wallet: WalletId) -> Mapping[AssetId, int] | None:
        """Base units by asset, free and reserved together; None for a wallet without books."""
        rows = await self._database.fetch(_BALANCES, wallet)
        if not rows:
            return None
        return {AssetId(row["asset"]): int(row["amount"]) for row in rows if row["asset"] is not None}


def _move(row: asyncpg.Record) -> Move:
    return Move(
        id=row["id"],
        wallet=WalletId(row["wallet"]),
        other=WalletId(row["other"]),
        target=WalletId(row["target"]),
        from_block=row["from_block"],
    )


def _record(row: asyncpg.Record, lines: Iterable[asyncpg.Record]) -> MoveRecord:
    return MoveRecord(
        wallet=WalletId(row["wallet"]),
        other=WalletId(row["other"]),
        target=WalletId(row["target"]),
        begun_at=UnixMs(row["begun_at"]),
        booked_at=None if row["booked_at"] is None else UnixMs(row["booked_at"]),
        block_number=row["block_number"],
        transactions=tuple(row["transactions"]),
        lines=tuple(
            MoveLine(asset=AssetId(line["asset"]), moved=line["moved"], fee=line["fee"], left=line["left"])
            for line in lines
        ),
    )


def _amounts(by_asset: Mapping[AssetId, int], assets: Sequence[AssetId]) -> list[int]:
    return [by_asset.get(asset, 0) for asset in assets]


_STANDING = """
WITH RECURSIVE line AS (
  -- Somebody may have written the successor into the settings before the books moved there.
  SELECT coalesce((SELECT wallet FROM moves WHERE other = $1 AND booked_at IS NULL LIMIT 1), $1::text) AS id,
         0 AS step
  UNION ALL
  SELECT w.successor, step + 1 FROM line JOIN wallets w ON w.id = line.id
   WHERE w.successor IS NOT NULL AND step < 10000
), newest AS (SELECT id AS trades FROM line ORDER BY step DESC LIMIT 1)
SELECT trades, moves.* FROM newest LEFT JOIN moves ON wallet = trades AND booked_at IS NULL
"""
_BEGIN = call("begin_move", 4)
_AIM = """
UPDATE moves SET target = $2, changed_at = $3
 WHERE id = $1 AND booked_at IS NULL AND target <> $2 AND $2 IN (wallet, other)
"""
_BOOK = call("book_move", 29)
_MOVES = """
SELECT moves.* FROM moves WHERE ARRAY[wallet, other] && (
  SELECT array_append(predecessors, id) FROM wallets WHERE id = $1) ORDER BY id DESC
"""
_LINES = """
SELECT move_id, asset, moved, fee, "left" FROM move_lines WHERE move_id = ANY ($1::bigint[]) ORDER BY asset
"""
_NONCES = """
SELECT DISTINCT nonce FROM orders WHERE wallet = $1 AND nonce = ANY ($2::numeric[])
   -- What was dropped without a fee of ours left its nonce to somebody else's transaction.
   AND NOT (state = 'dropped' AND coalesce(fee_paid_wei, 0) = 0)
"""
_AGREED = """
UPDATE wallets SET agreed_block = $2
 WHERE id = $1 AND NOT draining AND coalesce(agreed_block, opened_block) < $2
"""
_BALANCES = """
SELECT asset, free + reserved AS amount FROM wallets LEFT JOIN balances ON wallet = id WHERE id = $1
"""
