"""Wallets: their opening entries, their balances, and the halt that stops new reservations."""

from collections.abc import Mapping, Sequence

from trader.adapters.postgres.part import Part
from trader.adapters.postgres.rows import booking_columns
from trader.domain.assets import Asset
from trader.domain.ids import AssetId, WalletId
from trader.domain.time import UnixMs
from trader.portfolio.postings import opening
from trader.ports.order_store import Balance


class Wallets(Part):
    """Open, read, halt, release."""

    async def open_wallet(
        self, wallet: WalletId, balances: Mapping[AssetId, int], block_number: int, now: UnixMs
    ) -> bool:
        """Book the chain's balances as opening entries; False when the wallet was opened before."""
        async with self._database.transaction() as connection:
            if await connection.fetchval(_OPEN, wallet, block_number, now) is None:
                return False
            await connection.execute(_EMPTY, wallet, list(balances))
            await connection.execute(_BOOK, wallet, now, *booking_columns(opening(balances), {}))
        return True

    async def balances(self, wallet: WalletId) -> Sequence[Balance]:
        """Funds by asset."""
        return tuple(
            Balance(
                wallet=wallet,
                asset=AssetId(row["asset"]),
                free=int(row["free"]),
                reserved=int(row["reserved"]),
            )
            for row in await self._database.fetch(_BALANCES, wallet)
        )

    async def halt_wallet(self, wallet: WalletId, reason: str, now: UnixMs) -> None:
        """Stop new reservations of one wallet. Raises ValueError for a wallet that was never opened."""
        if await self._database.fetchval(_HALT, wallet, reason, now) is None:
            raise _unknown(wallet)

    async def release_wallet(self, wallet: WalletId, now: UnixMs) -> None:
        """Let the wallet reserve again. Raises ValueError for a wallet that was never opened."""
        if await self._database.fetchval(_RELEASE, wallet, now) is None:
            raise _unknown(wallet)

    async def halted(self) -> Mapping[WalletId, str]:
        """Wallets that may not reserve, with the reason."""
        rows = await self._database.fetch(
            "SELECT id, halted_reason FROM wallets WHERE state = 'halted' ORDER BY id"
        )
        return {WalletId(row["id"]): str(row["halted_reason"]) for row in rows}

    async def describe_assets(self, assets: Sequence[Asset]) -> None:
        """Remember how people write amounts of these assets."""
        await self._database.fetchval(
            _DESCRIBE,
            [asset.id for asset in assets],
            [asset.symbol for asset in assets],
            [asset.decimals for asset in assets],
        )

    async def assets(self) -> Sequence[Asset]:
        """Assets that were described."""
        rows = await self._database.fetch("SELECT id, symbol, decimals FROM assets ORDER BY symbol, id")
        return tuple(
            Asset(id=AssetId(row["id"]), symbol=str(row["symbol"]), decimals=int(row["decimals"]))
            for row in rows
        )


def _unknown(wallet: WalletId) -> ValueError:
    return ValueError(f"wallet {wallet} was never opened: only an open wallet can be halted or released")


_OPEN = """
INSERT INTO wallets (id, opened_block, opened_at, changed_at) VALUES ($1, $2, $3, $3)
ON CONFLICT (id) DO NOTHING RETURNING id
"""
_EMPTY = "INSERT INTO balances SELECT $1, asset, 0, 0, 0 FROM unnest($2::text[]) AS asset"
_BOOK = "SELECT book($1, NULL, $2, $3, $4, $5, $6, $7, $8, $9)"
_BALANCES = "SELECT asset, free, reserved FROM balances WHERE wallet = $1 ORDER BY asset"
_HALT = """
UPDATE wallets SET state = 'halted', halted_reason = $2, changed_at = $3 WHERE id = $1 RETURNING id
"""
_RELEASE = """
UPDATE wallets SET state = 'active', halted_reason = NULL, changed_at = $2 WHERE id = $1 RETURNING id
"""
_DESCRIBE = """
INSERT INTO assets SELECT * FROM unnest($1::text[], $2::text[], $3::smallint[])
ON CONFLICT (id) DO UPDATE SET symbol = excluded.symbol, decimals = excluded.decimals
"""
