"""What a person needs to know before they confirm. Values only; amounts are base units."""

from dataclasses import dataclass

from signer.ports.ledger import LimitUse


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetAmount:
    """An amount of an asset. `asset` is a token's address, or "native" for the chain's coin.

    `symbol` and `decimals` are those of the policy. For a token that the policy does not list they are its
    address and 0: whoever shows it shows base units, not a guess.
    """

    asset: str
    symbol: str
    decimals: int
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceAmount:
    """What one of the signer's references says would come back."""

    source: str
    amount: AssetAmount


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionChange:
    """A holding now, and afterwards at worst (of what comes in, the minimum).

    `after` is below 0 when the account holds too little: the transaction would fail.
    """

    before: AssetAmount
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """One request in a person's words.

    `actions` begins with a sentence for people; the decoded fields follow. `fee_max_wei` is the most that
    inclusion may cost. `slippage_bps` is None without a reference. `positions` is empty while the node is
    away; `budget` is what is used before this request of each limit that it counts against.
    """

    actions: tuple[str, ...]
    pays: tuple[AssetAmount, ...]
    receives_at_least: tuple[AssetAmount, ...]
    quoted: tuple[AssetAmount, ...]
    references: tuple[ReferenceAmount, ...]
    slippage_bps: int | None
    max_slippage_bps: int
    fee_max_wei: int
    fee_detail: str
    positions: tuple[PositionChange, ...]
    budget: tuple[LimitUse, ...]
