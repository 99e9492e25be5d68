"""A wallet of several accounts, as the settings have it. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from trader.domain.ids import AssetId, WalletId


class WhenAway(StrEnum):
    """What becomes of a trade that no account would sign as a whole now."""

    SMALLER = "smaller"
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """`name` is the signer's; each of `wallets` has books of its own.

    `min_amount_in`: base units, the least that a smaller trade may give of an asset; an asset that is missing
    is never traded smaller.
    """

    name: str
    wallets: tuple[WalletId, ...]
    when_away: WhenAway
    min_amount_in: Mapping[AssetId, int]
