"""Names of things that must not be swapped for one another."""

import re
from typing import NewType

OrderId = NewType("OrderId", str)
"""UUID in its canonical text form."""

WalletId = NewType("WalletId", str)
"""CAIP-10 account that trades, `eip155:1:0x…`, address in lower case."""

ChainName = NewType("ChainName", str)
"""CAIP-2 chain, `eip155:1`."""

AssetId = NewType("AssetId", str)
"""CAIP-19 asset: `eip155:1/erc20:0x…` (lower case) or `eip155:1/slip44:60` for the native coin."""

Address = NewType("Address", str)
"""EVM address, `0x` and 40 lower-case hex digits."""

IdempotencyKey = NewType("IdempotencyKey", str)
"""Persisted before the signer is asked; the signer answers the same for the same key for ever."""

StrategyName = NewType("StrategyName", str)

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_WALLET = re.compile(r"(eip155:[1-9][0-9]{0,17}):(0x[0-9a-fA-F]{40})")


def parse_address(text: str) -> Address:
    """Return the canonical form of an EVM address. Raises ValueError naming the text and what is allowed."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not an EVM address: 0x and 40 hex digits are allowed")
    return Address(text.lower())


def parse_wallet(text: str) -> WalletId:
    """Return a canonical CAIP-10 account. Raises ValueError naming the text and what is allowed."""
    match = _WALLET.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:120]!r} is not an EVM account: CAIP-10 `eip155:<id>:0x…` is allowed")
    return WalletId(f"{match[1]}:{match[2].lower()}")


def chain_of(wallet: WalletId) -> ChainName:
    """CAIP-2 chain of a wallet."""
    return ChainName(wallet.rpartition(":")[0])


def address_of(wallet: WalletId) -> Address:
    """Address of a wallet."""
    return Address(wallet.rpartition(":")[2])


def erc20(chain: ChainName, token: Address) -> AssetId:
    """Asset of an ERC-20 token."""
    return AssetId(f"{chain}/erc20:{token}")


def native(chain: ChainName) -> AssetId:
    """Native coin of an EVM chain (SLIP-44 coin type 60)."""
    return AssetId(f"{chain}/slip44:60")


def token_of(asset: AssetId) -> Address:
    """Contract of an ERC-20 asset. Raises ValueError for the native coin."""
    _, separator, token = asset.partition("/erc20:")
    if not separator:
        raise ValueError(f"{asset!r} is not an ERC-20 asset")
    return Address(token)
