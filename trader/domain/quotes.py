"""Quotes and the transactions built from them. Values only; nothing here is signed."""

from dataclasses import dataclass

from trader.domain.ids import Address, AssetId, WalletId
from trader.domain.time import UnixMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a venue promises for a swap, at one block.

    Amounts are base units; `path` and `fees` are the route (fees in hundredths of a bip, empty for v2).
    `expires_at` is at most ten seconds after `made_at`; the signer checks the age again.
    """

    wallet: WalletId
    venue: str
    asset_in: AssetId
    asset_out: AssetId
    path: tuple[Address, ...]
    fees: tuple[int, ...]
    spender: Address
    amount_in: int
    amount_out: int
    minimum_out: int
    block_number: int
    made_at: UnixMs
    expires_at: UnixMs


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionDraft:
    """An EIP-1559 transaction without chain id and nonce, which are the signer's own.

    Units: wei, gas, unix seconds.
    """

    to: Address
    value_wei: int
    data: bytes
    gas_limit: int
    max_fee_per_gas_wei: int
    max_priority_fee_per_gas_wei: int
    deadline_s: int

    @property
    def worst_fee_wei(self) -> int:
        """Most that inclusion can cost, wei."""
        return self.gas_limit * self.max_fee_per_gas_wei


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """What a mined transaction really did, from its receipt and Transfer logs; never from the quote.

    `spent` and `received` are base units of the order's assets (zero when reverted and for an approval).
    """

    transaction_hash: str
    block_number: int
    block_hash: str
    reverted: bool
    spent: int
    received: int
    fee_paid_wei: int
