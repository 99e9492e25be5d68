"""What geth's transaction pool says and anvil does not: the 10 % rule for replacements; refuses nothing else.

Pure. go-ethereum, core/txpool/legacypool: a replacement must raise both the fee cap and the tip.
"""

from dataclasses import dataclass

import rlp
from eth_account import Account
from eth_utils.crypto import keccak

PRICE_BUMP_PERCENT = 10
ALREADY_KNOWN = (-32000, "already known")
UNDERPRICED = (-32000, "replacement transaction underpriced")


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledTransaction:
    """What the pool looks at in an EIP-1559 transaction; fees in wei per gas, `sender` lower case."""

    sender: str
    nonce: int
    max_fee_per_gas_wei: int
    max_priority_fee_per_gas_wei: int
    tx_hash: str
    raw: str


def parse(raw: str) -> PooledTransaction | None:
    """The pool's view of a signed type-2 transaction; None for what the node itself has to judge."""
    data = bytes.fromhex(raw.removeprefix("0x"))
    if data[:1] != b"\x02":
        return None
    try:
        fields: list[bytes] = rlp.decode(data[1:], strict=True)
        sender = Account.recover_transaction(raw)
    except (rlp.RLPException, ValueError, TypeError):
        return None
    return PooledTransaction(
        sender=str(sender).lower(),
        nonce=int.from_bytes(fields[1]),
        max_priority_fee_per_gas_wei=int.from_bytes(fields[2]),
        max_fee_per_gas_wei=int.from_bytes(fields[3]),
        tx_hash=transaction_hash(raw),
        raw=raw,
    )


def objection(pooled: PooledTransaction, offered: PooledTransaction) -> tuple[int, str] | None:
    """Why geth would not let `offered` take the place of `pooled` (code, message); None when it would."""
    if pooled.tx_hash == offered.tx_hash:
        return ALREADY_KNOWN
    fee = (pooled.max_fee_per_gas_wei, offered.max_fee_per_gas_wei)
    tip = (pooled.max_priority_fee_per_gas_wei, offered.max_priority_fee_per_gas_wei)
    return None if all(_bumped(old, new) for old, new in (fee, tip)) else UNDERPRICED


def transaction_hash(raw: str) -> str:
    """The hash of a raw transaction, both `0x` hex."""
    return "0x" + keccak(hexstr=raw).hex()


def _bumped(old: int, new: int) -> bool:
    return new > old and new >= old * (100 + PRICE_BUMP_PERCENT) // 100
