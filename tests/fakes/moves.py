"""Moves of the books in memory; refuses what the database would refuse, but keeps no ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from trader.domain.ids import AssetId, WalletId
from trader.domain.moves import Move, Settlement, Standing
from trader.domain.time import UnixMs
from trader.ports.move_store import MoveRecord, MoveVerdict


class FakeMoves:
    """`booked` lists what was booked; `held` are the books by wallet."""

    def __init__(self) -> None:
        self.under_way: dict[WalletId, Move] = {}
        self.booked: list[tuple[Move, Settlement]] = []
        self.held: dict[WalletId, dict[AssetId, int]] = {}
        self.successors: dict[WalletId, WalletId] = {}
        self.agreed: dict[WalletId, int] = {}
        self.our_nonces: set[int] = set()

    async def standing(self, configured: WalletId) -> Standing:
        wallet = configured
        while wallet in self.successors:
            wallet = self.successors[wallet]
        return Standing(wallet=wallet, move=self.under_way.get(wallet))

    async def begin_move(self, wallet: WalletId, other: WalletId, target: WalletId, now: UnixMs) -> None:
        del now
        since = self.agreed.get(wallet, 0)
        move = Move(id=len(self.booked) + 1, wallet=wallet, other=other, target=target, from_block=since)
        self.under_way.setdefault(wallet, move)

    async def aim_move(self, move: Move, target: WalletId, now: UnixMs) -> None:
        del now
        self.under_way[move.wallet] = replace(self.under_way[move.wallet], target=target)

    async def book_move(
        self, move: Move, settlement: Settlement, *, explained: Sequence[str], now: UnixMs
    ) -> MoveVerdict:
        del explained, now
        if self.under_way.get(move.wallet) != move:
            return MoveVerdict.GONE
        del self.under_way[move.wallet]
        self.booked.append((move, settlement))
        if move.target != move.wallet:
            self.successors[move.wallet] = move.target
        return MoveVerdict.BOOKED

    async def moves(self, wallet: WalletId) -> Sequence[MoveRecord]:
        del wallet
        return []

    async def predecessors(self, wallet: WalletId) -> Sequence[WalletId]:
        return [old for old, new in self.successors.items() if new == wallet]

    async def nonces_of_orders(self, wallet: WalletId, nonces: Sequence[int]) -> frozenset[int]:
        del wallet
        return frozenset(self.our_nonces.intersection(nonces))

    async def books_agreed(self, wallet: WalletId, block_number: int) -> None:
        self.agreed[wallet] = block_number

    async def balances_of(self, wallet: WalletId) -> Mapping[AssetId, int] | None:
        return self.held.get(wallet)
