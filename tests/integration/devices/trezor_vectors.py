"""Transactions that Trezor's own test suite has, with the signatures that real firmware gave."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import pytest
import rlp

VECTORS = Path(__file__).parents[3].parent / "shared" / "vectors" / "trezor"


class EthereumVector(TypedDict):
    name: str
    file: str
    mnemonic: str
    path: str
    address: str
    chain_id: int
    raw: str


class SolanaVector(TypedDict):
    description: str
    mnemonic: str
    path: str
    address: str
    message_hex: str
    signature_hex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EthereumFields:
    """What a host asks for, and what it must get. `gas_price` is None for EIP-1559."""

    nonce: int
    gas_price: int | None
    max_gas_fee: int
    max_priority_fee: int
    gas_limit: int
    to: str
    value: int
    data: bytes
    access_list: tuple[tuple[str, tuple[bytes, ...]], ...]
    signature: tuple[int, int, int]


def ethereum_vectors() -> list[EthereumVector]:
    loaded: list[EthereumVector] = json.loads((VECTORS / "ethereum.json").read_text())
    return loaded


def solana_vectors() -> list[SolanaVector]:
    loaded: list[SolanaVector] = json.loads((VECTORS / "solana.json").read_text())
    return loaded


def require_vectors() -> None:
    if not VECTORS.exists():
        pytest.skip("vectors of the real firmware are not beside the project")


def fields_of(vector: EthereumVector) -> EthereumFields:
    raw = bytes.fromhex(vector["raw"])
    typed = raw[0] == 2
    items = rlp.decode(raw[1:] if typed else raw)
    number = [int.from_bytes(item, "big") if isinstance(item, bytes) else 0 for item in items]
    if typed:
        _, nonce, priority, fee, gas, to, value, data, access, _, _, _ = items
        return EthereumFields(
            nonce=int.from_bytes(nonce, "big"), gas_price=None, max_gas_fee=int.from_bytes(fee, "big"),
            max_priority_fee=int.from_bytes(priority, "big"), gas_limit=int.from_bytes(gas, "big"),
            to=f"0x{to.hex()}" if to else "", value=int.from_bytes(value, "big"), data=data,
            access_list=tuple((f"0x{address.hex()}", tuple(keys)) for address, keys in access),
            signature=(number[9], number[10], number[11]),
        )  # fmt: skip
    to = items[3]
    return EthereumFields(
        nonce=number[0], gas_price=number[1], max_gas_fee=0, max_priority_fee=0, gas_limit=number[2],
        to=f"0x{to.hex()}" if to else "", value=number[4], data=items[5], access_list=(),
        signature=(number[6], number[7], number[8]),
    )  # fmt: skip
