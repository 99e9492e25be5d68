"""Accounts and chains by their CAIP names.

Refuses every spelling that is not exactly one account on one chain.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NewType

AccountId = NewType("AccountId", str)
"""CAIP-10, canonical inside the signer.

`eip155:1:0x…` with the address in lower case; Solana keeps its base58.
"""

ChainName = NewType("ChainName", str)
"""CAIP-2: `eip155:1`, `solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp`."""

Address = NewType("Address", str)
"""EVM address, `0x` and 40 lower-case hex digits. EIP-55 spelling exists only at the edges."""

_EVM_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_EVM_CHAIN = re.compile(r"eip155:([1-9][0-9]{0,17})")
_SOLANA_CHAIN = re.compile(r"solana:[1-9A-HJ-NP-Za-km-z]{32}")
_SOLANA_ADDRESS = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}")

_REMEMBERED = 1_024
"""Names that were read before, of each kind: every request brings the same few. Only well-formed ones."""


class AccountState(StrEnum):
    """What an account may do. `DRAINING` and `RETIRED` belong to rotation."""

    ACTIVE = "active"
    PAUSED = "paused"
    DRAINING = "draining"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One key on one chain, as the settings pin it."""

    id: AccountId
    wallet: str
    wallet_position: int
    backend: str

    @property
    def chain(self) -> ChainName:
        """CAIP-2 chain of the account."""
        return chain_of(self.id)

    @property
    def address(self) -> Address:
        """Address on its chain."""
        return address_of(self.id)


@lru_cache(maxsize=_REMEMBERED)
def parse_address(text: str) -> Address:
    """Return the canonical form of a 20-byte EVM address.

    Raises ValueError naming the text and what is allowed.
    """
    if not _EVM_ADDRESS.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not an EVM address: 0x and 40 hex digits are allowed")
    return Address(text.lower())


def parse_chain(text: str) -> ChainName:
    """Return a CAIP-2 chain of a known namespace. Raises ValueError naming the text and what is allowed."""
    if _EVM_CHAIN.fullmatch(text) or _SOLANA_CHAIN.fullmatch(text):
        return ChainName(text)
    raise ValueError(f"{text[:80]!r} is not a chain: CAIP-2 `eip155:<id>` or `solana:<genesis>` is allowed")


@lru_cache(maxsize=_REMEMBERED)
def parse_account_id(text: str) -> AccountId:
    """Return a canonical CAIP-10 account. Raises ValueError naming the text and what is allowed."""
    chain, separator, address = text.rpartition(":")
    if separator and _EVM_CHAIN.fullmatch(chain) and _EVM_ADDRESS.fullmatch(address):
        return AccountId(f"{chain}:{address.lower()}")
    if separator and _SOLANA_CHAIN.fullmatch(chain) and _SOLANA_ADDRESS.fullmatch(address):
        return AccountId(text)
    allowed = "CAIP-10 `eip155:<id>:0x…` or `solana:<genesis>:<base58>` is allowed"
    raise ValueError(f"{text[:120]!r} is not an account: {allowed}")


def chain_of(account: AccountId) -> ChainName:
    """CAIP-2 part of a canonical account."""
    return ChainName(account.rpartition(":")[0])


def address_of(account: AccountId) -> Address:
    """Address part of a canonical account."""
    return Address(account.rpartition(":")[2])


def is_evm(chain: ChainName) -> bool:
    """Whether a chain is of the `eip155` namespace."""
    return _EVM_CHAIN.fullmatch(chain) is not None


@lru_cache(maxsize=_REMEMBERED)
def evm_chain_id(chain: ChainName) -> int:
    """EIP-155 chain id. Raises ValueError for a chain of another namespace."""
    match = _EVM_CHAIN.fullmatch(chain)
    if match is None:
        raise ValueError(f"{chain!r} has no EIP-155 chain id: `eip155:<id>` is allowed")
    return int(match[1])
