"""EIP-1559 transactions as bytes: what is hashed, what is broadcast, and back. Signs nothing.

Source: EIP-2718 (typed envelope), EIP-1559 (type 2), EIP-2 (low s). The access list is always empty.
"""

from functools import lru_cache

from signer.decode.evm.keccak import keccak256
from signer.decode.evm.recovery import require_well_formed
from signer.decode.evm.rlp import EMPTY_LIST, decode_list, encode_bytes, encode_int, encode_list
from signer.domain.accounts import Address
from signer.domain.transactions import (
    MAX_CALLDATA_BYTES,
    UINT256_MAX,
    EvmPayload,
    EvmSignature,
    SignedBytes,
    UnsignedEvmTransaction,
)

TYPE = b"\x02"

_FIELDS = (
    "chain_id", "nonce", "max_priority_fee_per_gas", "max_fee_per_gas", "gas_limit", "to", "value", "data",
    "access_list", "y_parity", "r", "s",
)  # fmt: skip
_TO, _DATA, _ACCESS_LIST = (_FIELDS.index(name) for name in ("to", "data", "access_list"))
_ADDRESS_BYTES = 20
_UINT64_MAX = 2**64 - 1
_INT_LIMITS = {"chain_id": _UINT64_MAX, "nonce": _UINT64_MAX - 1, "gas_limit": _UINT64_MAX}
"""Largest value where it is not uint256. The last nonce is unusable (EIP-2681)."""


@lru_cache(maxsize=256)
def signing_hash(transaction: UnsignedEvmTransaction) -> bytes:
    """Return the 32 bytes that a key signs: keccak-256 of `0x02 || rlp(nine fields)`.

    Remembered for a moment: whoever signs and whoever checks the signature ask for the same one.
    """
    return keccak256(unsigned_bytes(transaction))


def unsigned_bytes(transaction: UnsignedEvmTransaction) -> bytes:
    """Return what is hashed and what a device is given to show: `0x02 || rlp(nine fields)`."""
    return TYPE + encode_list((_unsigned_fields(transaction),))


def payload_hash(transaction: UnsignedEvmTransaction) -> str:
    """Return the signing hash as `0x` and 64 hex digits. One per nonce is ever signed."""
    return f"0x{signing_hash(transaction).hex()}"


def encode_signed(transaction: UnsignedEvmTransaction, signature: EvmSignature) -> SignedBytes:
    """Return the transaction ready for broadcast: `0x02 || rlp(twelve fields)` and its hash."""
    signed = (encode_int(signature.y_parity), encode_int(signature.r), encode_int(signature.s))
    raw = TYPE + encode_list((_unsigned_fields(transaction), *signed))
    return SignedBytes(raw=raw, hash=f"0x{keccak256(raw).hex()}")


def decode_signed(raw: bytes) -> tuple[UnsignedEvmTransaction, EvmSignature]:
    """Read a signed transaction back. Raises ValueError for what we would not have encoded so."""
    if raw[:1] != TYPE:
        raise ValueError(f"type byte is {raw[:1].hex() or 'absent'}: 02 (EIP-1559) is allowed")
    items = decode_list(raw[1:])
    if len(items) != len(_FIELDS):
        raise ValueError(f"the transaction has {len(items)} fields: {len(_FIELDS)} are allowed")
    transaction, signature = _from_items(items)
    if encode_signed(transaction, signature).raw != raw:
        raise ValueError("the bytes are not the canonical encoding of its fields")
    return transaction, signature


@lru_cache(maxsize=256)
def _unsigned_fields(transaction: UnsignedEvmTransaction) -> bytes:
    """The nine fields, each encoded; remembered because signing.

    Checking and broadcasting all begin with them.
    """
    payload = transaction.payload
    fields = (
        encode_int(transaction.chain_id),
        encode_int(transaction.nonce),
        encode_int(payload.max_priority_fee_per_gas_wei),
        encode_int(payload.max_fee_per_gas_wei),
        encode_int(payload.gas_limit),
        encode_bytes(bytes.fromhex(payload.to[2:])),
        encode_int(payload.value_wei),
        encode_bytes(payload.data),
        EMPTY_LIST,
    )
    return b"".join(fields)


def _from_items(items: list[bytes | None]) -> tuple[UnsignedEvmTransaction, EvmSignature]:
    to, data = items[_TO], items[_DATA]
    if to is None or len(to) != _ADDRESS_BYTES:
        raise ValueError("to must be an address of 20 bytes (no contract creation)")
    if data is None or len(data) > MAX_CALLDATA_BYTES:
        raise ValueError(f"data must be at most {MAX_CALLDATA_BYTES} bytes")
    if items[_ACCESS_LIST] is not None:
        raise ValueError("access_list must be empty")
    numbers = {
        name: _integer(name, item)
        for name, item in zip(_FIELDS, items, strict=True)
        if name not in {"to", "data", "access_list"}
    }
    payload = EvmPayload(
        to=Address(f"0x{to.hex()}"),
        value_wei=numbers["value"],
        data=data,
        gas_limit=numbers["gas_limit"],
        max_fee_per_gas_wei=numbers["max_fee_per_gas"],
        max_priority_fee_per_gas_wei=numbers["max_priority_fee_per_gas"],
    )
    unsigned = UnsignedEvmTransaction(chain_id=numbers["chain_id"], nonce=numbers["nonce"], payload=payload)
    signature = EvmSignature(r=numbers["r"], s=numbers["s"], y_parity=numbers["y_parity"])
    require_well_formed(signature)
    return unsigned, signature


def _integer(name: str, item: bytes | None) -> int:
    if item is None:
        raise ValueError(f"{name} must be an integer, not a list")
    value = int.from_bytes(item, "big")
    limit = _INT_LIMITS.get(name, UINT256_MAX)
    if value > limit:
        raise ValueError(f"{name} must be at most {limit}")
    return value
