"""One digest over everything that a client sent. Never over protobuf's bytes, so it is stable for ever."""

import hashlib
from collections.abc import Iterable


def request_digest(method: str, values: Iterable[str | bytes | int]) -> str:
    """SHA-256, 64 hex digits, over the method and the checked values in the order of the contract.

    Each value carries its type and length, so that no two different sequences have the same encoding.
    """
    hasher = hashlib.sha256(f"airlock.signer.v1/{method}\n".encode())
    for value in values:
        kind, raw = _encoded(value)
        hasher.update(b"%s%d:%s" % (kind, len(raw), raw))
    return hasher.hexdigest()


def _encoded(value: str | bytes | int) -> tuple[bytes, bytes]:
    match value:
        case bytes():
            return b"b", value
        case int():
            return b"i", b"%d" % value
        case str():
            return b"s", value.encode()
