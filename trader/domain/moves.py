"""What a rotation of the account means to the books: from which wallet to which they move. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass

from trader.domain.ids import AssetId, WalletId


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A move that is under way. The books are `wallet`'s; funds go from one of the two to `target`.

    `target` is `other`; after an abort at the signer it is `wallet` itself, and what had left comes back.
    Everything up to `from_block` is in the books already.
    """

    id: int
    wallet: WalletId
    other: WalletId
    target: WalletId
    from_block: int

    @property
    def source(self) -> WalletId:
        """The one that is emptied."""
        return self.wallet if self.target == self.other else self.other


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Which wallet trades for the configured one now, and the move that is under way for it."""

    wallet: WalletId
    move: Move | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One transaction that `sender` sent in a rotation, at a final block.

    `carried` is what it brought to the other wallet, base units; zero amounts are left out.
    """

    transaction_hash: str
    sender: WalletId
    block_number: int
    carried: Mapping[AssetId, int]
    fee_paid_wei: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One wallet of a move before it is booked, base units by asset. `books` None: it has none yet."""

    wallet: WalletId
    books: Mapping[AssetId, int] | None
    chain: Mapping[AssetId, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveAccount:
    """What the move does to one wallet, base units by asset; plus is more in the wallet, but for `fees`.

    `opening` is what a wallet without books held besides; `gap` is chain minus books, unexplained.
    """

    before: Side
    opening: Mapping[AssetId, int]
    moved: Mapping[AssetId, int]
    fees: Mapping[AssetId, int]
    gap: Mapping[AssetId, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Both accounts of a move at one final block.

    `agreed_block`: so far the target's books know everything.
    """

    wallet: MoveAccount
    other: MoveAccount
    block_number: int
    agreed_block: int
    passages: tuple[Passage, ...]

    @property
    def gaps(self) -> Mapping[tuple[WalletId, AssetId], int]:
        """Nothing, when the move closes to the base unit on both."""
        return {
            (account.before.wallet, asset): gap
            for account in (self.wallet, self.other)
            for asset, gap in account.gap.items()
        }

    def of(self, wallet: WalletId) -> MoveAccount:
        """The account of one of the two."""
        return self.wallet if self.wallet.before.wallet == wallet else self.other
