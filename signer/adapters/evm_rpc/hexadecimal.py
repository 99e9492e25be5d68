"""What nodes answer, as numbers and bytes. Refuses every other spelling with ValueError."""

import re

from signer.adapters.json_rpc.transport import Json

_QUANTITY = re.compile(r"0x(0|[1-9a-f][0-9a-f]{0,63})")
_DATA = re.compile(r"0x([0-9a-f]{2})*")
_HASH = re.compile(r"0x[0-9a-f]{64}")


def quantity(value: Json) -> int:
    """Return a number, at most 256 bits."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value.lower()):
        raise ValueError(f"{str(value)[:80]!r} is no quantity")
    return int(value, 16)


def data(value: Json) -> bytes:
    """Return bytes."""
    if not isinstance(value, str) or not _DATA.fullmatch(value.lower()):
        raise ValueError(f"{str(value)[:80]!r} is no data")
    return bytes.fromhex(value[2:])


def block_or_transaction_hash(value: Json) -> str:
    """Return a 32-byte hash, lower case."""
    if not isinstance(value, str) or not _HASH.fullmatch(value.lower()):
        raise ValueError(f"{str(value)[:80]!r} is no hash")
    return value.lower()
