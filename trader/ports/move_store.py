"""Moves of the books to a successor as a port. Every method is one database transaction, safe to repeat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from trader.domain.ids import AssetId, WalletId
from trader.domain.moves import Move, Settlement, Standing
from trader.domain.time import UnixMs


class MoveVerdict(StrEnum):
    """What became of a booking. Only BOOKED wrote something."""

    BOOKED = "booked"
    GONE = "gone"  # another process booked it, or it has another target now
    CHANGED = "changed"  # the books are not those that were compared, or an order is open


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveLine:
    """What one asset did in a booked move, base units; `left` stayed behind at the source."""

    asset: AssetId
    moved: int
    fee: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRecord:
    """A move as people see it. `booked_at` and what follows is empty while it is under way."""

    wallet: WalletId
    other: WalletId
    target: WalletId
    begun_at: UnixMs
    booked_at: UnixMs | None
    block_number: int | None
    transactions: tuple[str, ...]
    lines: tuple[MoveLine, ...]


class MoveStore(Protocol):
    """Every method raises StoreUnavailableError."""

    async def standing(self, configured: WalletId) -> Standing:
        """The newest successor of a wallet, or itself."""
        ...

    async def begin_move(self, wallet: WalletId, other: WalletId, target: WalletId, now: UnixMs) -> None:
        """No reservation of `wallet` from here on. Does nothing when a move of it is under way already.

        Raises ValueError for a wallet that was never opened.
        """
        ...

    async def aim_move(self, move: Move, target: WalletId, now: UnixMs) -> None:
        """The rotation was turned round. Does nothing when that is known, or the move is booked."""
        ...

    async def book_move(
        self,
        move: Move,
        settlement: Settlement,
        *,
        explained: Sequence[str],
        now: UnixMs,
    ) -> MoveVerdict:
        """Everything at once: both wallets' entries and balances, who trades now, and the record.

        Guarded by the row of the move and by the books that `settlement` was made from. A halt whose reason
        begins with one of `explained` ends; any other goes over to the target.
        """
        ...

    async def moves(self, wallet: WalletId) -> Sequence[MoveRecord]:
        """Every move that led to a wallet or away from it, newest first."""
        ...

    async def predecessors(self, wallet: WalletId) -> Sequence[WalletId]:
        """Wallets whose orders count as this one's."""
        ...

    async def nonces_of_orders(self, wallet: WalletId, nonces: Sequence[int]) -> frozenset[int]:
        """Those that orders of ours used, and whose effect is in the books."""
        ...

    async def books_agreed(self, wallet: WalletId, block_number: int) -> None:
        """Books and chain were seen equal: nothing up to this final block is missing in the books."""
        ...

    async def balances_of(self, wallet: WalletId) -> Mapping[AssetId, int] | None:
        """Base units by asset, free and reserved together; None for a wallet without books."""
        ...
