"""What a client believes its transaction does. Never trusted: compared with what the bytes say."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from signer.domain.accounts import Address
from signer.domain.time import UnixMs


class WrapDirection(StrEnum):
    """Which way the native coin goes."""

    DEPOSIT = "deposit"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapClaim:
    """Amounts in base units of their tokens; `quote_time` is when the client's quote was made."""

    token_in: Address
    token_out: Address
    amount_in: int
    minimum_out: int
    quoted_out: int
    quote_time: UnixMs


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveClaim:
    """New allowance in base units of the token."""

    token: Address
    spender: Address
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapClaim:
    """Amount in wei."""

    direction: WrapDirection
    amount_wei: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeTransferClaim:
    """Amount in wei."""

    recipient: Address
    amount_wei: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTransferClaim:
    """Amount in base units of the token."""

    token: Address
    recipient: Address
    amount: int


Claim: TypeAlias = SwapClaim | ApproveClaim | WrapClaim | NativeTransferClaim | TokenTransferClaim
