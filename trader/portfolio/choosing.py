"""Which account of a wallet trades, and how much: what it would sign, next to what it has. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from trader.domain.ids import WalletId


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One account, for one asset, base units: what it would sign now, and what is free in its books.

    `would_sign`: the amount that is asked about; `most` may be more than that, or 0 when it signs nothing.
    """

    wallet: WalletId
    would_sign: bool
    most: int
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """The account, and the amount that it gives, base units."""

    wallet: WalletId
    amount: int


def pick_whole(candidates: Sequence[Candidate], amount: int) -> Pick | None:
    """The first account, in the wallet's order, that would sign the amount and has it."""
    for one in candidates:
        if one.would_sign and one.free >= amount:
            return Pick(wallet=one.wallet, amount=amount)
    return None


def pick_smaller(candidates: Sequence[Candidate], amount: int, least: int) -> Pick | None:
    """The account that can give most, up to the amount; None below `least`. The first of equals."""
    picks = [Pick(wallet=one.wallet, amount=min(one.most, one.free, amount)) for one in candidates]
    best = max(picks, key=lambda pick: pick.amount, default=None)
    return best if best is not None and best.amount >= max(least, 1) else None
