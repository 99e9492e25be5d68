"""What the bytes of a transaction do, understood to the last byte.

There is no action for "something else".
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from signer.domain.accounts import Address
from signer.domain.decisions import Violation


class ContractKind(StrEnum):
    """What a listed contract is, and with it how its calldata reads."""

    ERC20 = "erc20"
    WETH9 = "weth9"
    UNISWAP_V2_ROUTER02 = "uniswap_v2_router02"
    UNISWAP_SWAP_ROUTER02 = "uniswap_swap_router02"


class SwapVenue(StrEnum):
    """Contract family that executes a swap."""

    UNISWAP_V2_ROUTER02 = "uniswap_v2_router02"
    UNISWAP_SWAP_ROUTER02 = "uniswap_swap_router02"


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeTransfer:
    """A plain transfer of the native coin: empty calldata."""

    recipient: Address
    amount_wei: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Erc20Approve:
    """ERC-20 `approve(spender, amount)`; amount in base units."""

    token: Address
    spender: Address
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WethDeposit:
    """WETH9 `deposit()`: native coin becomes the wrapped token."""

    token: Address
    amount_wei: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WethWithdraw:
    """WETH9 `withdraw(amount)`: the wrapped token becomes native coin."""

    token: Address
    amount_wei: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """An exact-input swap.

    `path` holds every token from first to last; `fees` the v3 pool fee between each pair in hundredths of a
    bip, and is empty for v2. `deadline` is unix seconds as the contract reads it. Amounts are base units.
    """

    venue: SwapVenue
    router: Address
    path: tuple[Address, ...]
    fees: tuple[int, ...]
    amount_in: int
    minimum_out: int
    recipient: Address
    deadline: int

    @property
    def token_in(self) -> Address:
        """Token given."""
        return self.path[0]

    @property
    def token_out(self) -> Address:
        """Token received."""
        return self.path[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erc20Transfer:
    """ERC-20 `transfer(recipient, amount)`; amount in base units. For clients, only a top-up can be one."""

    token: Address
    recipient: Address
    amount: int


Action: TypeAlias = NativeTransfer | Erc20Approve | Erc20Transfer | WethDeposit | WethWithdraw | Swap
"""What a client may ask for at all."""

DrainAction: TypeAlias = NativeTransfer | Erc20Approve | Erc20Transfer
"""What the drain of an account in rotation may do at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotUnderstood:
    """The bytes could not be read to the last one. Always a denial; `violation` says what and where."""

    violation: Violation
