"""What a Trezor will show for a transaction, for a person to compare with the console. Asks no device.

The fields of each screen and their order, as core firmware sends them to its display. How it words them
differs from model to model and is not repeated here. Model One has the same fields on 4 to 10 screens.
"""

from signer.adapters.device.coins import in_coins
from signer.decode.evm.eip55 import checksummed
from signer.domain.transactions import UnsignedEvmTransaction
from signer.ports.device import Screen

_MAINNET = 1
_BEGINNING_BYTES = 32


def screens_of(transaction: UnsignedEvmTransaction) -> tuple[Screen, ...]:
    """Calldata (where there is some), recipient, amount with the most that it may cost."""
    payload = transaction.payload
    to = Screen(title="To", text=checksummed(payload.to))
    amount = (
        f"{_coins(payload.value_wei, transaction)}, maximum fee {_coins(payload.worst_fee_wei, transaction)}"
    )
    confirm = (to, Screen(title="Amount", text=amount))
    if not payload.data:
        return confirm
    beginning = payload.data[:_BEGINNING_BYTES].hex()
    more = "…" if len(payload.data) > _BEGINNING_BYTES else ""
    return (Screen(title="Data", text=f"{len(payload.data)} bytes, 0x{beginning}{more}"), *confirm)


def _coins(wei: int, transaction: UnsignedEvmTransaction) -> str:
    # What the firmware calls the coin of another chain depends on what it was told of that chain.
    unit = "ETH" if transaction.chain_id == _MAINNET else f"coins of chain {transaction.chain_id}"
    return f"{in_coins(wei)} {unit}"
