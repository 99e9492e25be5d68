"""What the signer sees of a chain. Blocks, receipts and quotes as plain values."""

from dataclasses import dataclass

from signer.domain.time import UnixMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A block.

    `timestamp_s` is the block's own time in unix seconds, `seen_at` when the signer fetched it.
    """

    number: int
    hash: str
    timestamp_s: int
    base_fee_per_gas_wei: int
    seen_at: UnixMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Inclusion of a transaction. `fee_paid_wei` = gas used x effective gas price."""

    transaction_hash: str
    block_number: int
    block_hash: str
    reverted: bool
    fee_paid_wei: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceQuote:
    """What one independent source says a swap returns.

    Base units of the token received, at `block_number`.
    """

    source: str
    amount_out: int
    block_number: int
    block_timestamp_s: int
