"""ERC-20 calldata (EIP-20) and plain transfers; refuses an unlimited approval. Pure encoding, no I/O."""

from eth_abi.abi import encode

from trader.domain.ids import Address
from trader.domain.quotes import TransactionDraft
from trader.ports.venue import Fees

BALANCE_OF = bytes.fromhex("70a08231")
ALLOWANCE = bytes.fromhex("dd62ed3e")
APPROVE = bytes.fromhex("095ea7b3")
TRANSFER = bytes.fromhex("a9059cbb")

APPROVE_GAS = 75_000
"""About 46,000 for a plain token; proxies and first writes take more."""

TRANSFER_GAS = 75_000
"""About 52,000 for a plain token and a first balance; proxies take more."""

PLAIN_TRANSFER_GAS = 21_000
"""Coins to an account without code."""

_UNLIMITED = 2**255
_WORD_BYTES = 32


class Erc20Approvals:
    """The TokenApprovals port: `approve(spender, amount)` for exactly the amount of one swap."""

    def __init__(self, gas_limit: int = APPROVE_GAS) -> None:
        self._gas_limit = gas_limit

    def build(
        self, token: Address, spender: Address, amount: int, fees: Fees, deadline_s: int
    ) -> TransactionDraft:
        """Set the allowance of `spender` to `amount` base units."""
        if not 0 <= amount < _UNLIMITED:
            raise ValueError(f"an approval of {amount} is not exact: 0 to 2**255 - 1 is allowed")
        return TransactionDraft(
            to=token,
            value_wei=0,
            data=APPROVE + encode(["address", "uint256"], [spender, amount]),
            gas_limit=self._gas_limit,
            max_fee_per_gas_wei=fees.max_fee_per_gas_wei,
            max_priority_fee_per_gas_wei=fees.max_priority_fee_per_gas_wei,
            deadline_s=deadline_s,
        )


class OwnTransfers:
    """The Transfers port: `transfer(recipient, amount)`, or value without data."""

    def __init__(self, gas_limit: int = TRANSFER_GAS) -> None:
        self._gas_limit = gas_limit

    def build(
        self, token: Address | None, recipient: Address, amount: int, fees: Fees, deadline_s: int
    ) -> TransactionDraft:
        """Move `amount` base units of a token, or wei where `token` is None."""
        coins = token is None
        return TransactionDraft(
            to=recipient if token is None else token,
            value_wei=amount if coins else 0,
            data=b"" if coins else TRANSFER + encode(["address", "uint256"], [recipient, amount]),
            gas_limit=PLAIN_TRANSFER_GAS if coins else self._gas_limit,
            max_fee_per_gas_wei=fees.max_fee_per_gas_wei,
            max_priority_fee_per_gas_wei=fees.max_priority_fee_per_gas_wei,
            deadline_s=deadline_s,
        )


def balance_of(owner: Address) -> bytes:
    """Calldata of `balanceOf(owner)`."""
    return BALANCE_OF + encode(["address"], [owner])


def allowance(owner: Address, spender: Address) -> bytes:
    """Calldata of `allowance(owner, spender)`."""
    return ALLOWANCE + encode(["address", "address"], [owner, spender])


def word(answer: bytes) -> int:
    """The one uint256 that a call returned. Raises ValueError for any other length: no contract is there."""
    if len(answer) != _WORD_BYTES:
        raise ValueError(f"the contract returned {len(answer)} bytes: {_WORD_BYTES} are allowed")
    return int.from_bytes(answer)
