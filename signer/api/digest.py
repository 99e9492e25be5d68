"""One digest over everything that a client sent. Never over protobuf's bytes, so it is stable for ever."""

import hashlib
from collections.abc import Iterable


def request_digest(method: str, values: Iterable[str | bytes | int]) -> str:
    """SHA-256, 64 hex digits, over the method and the checked values in the order of the contract.

    Each value carries its type and length, so that no two different sequences have the same encoding.
    """
    content = b"".join(map(_encoded, values))
    return hashlib.sha256(b"airlock.signer.v1/%s\n%s" % (method.encode(), content)).hexdigest()


def _encoded(value: str | bytes | int) -> bytes:
    match value:
        case str():
            raw = value.encode()
            return b"s%d:%s" % (len(raw), raw)
        case bytes():
            return b"b%d:%s" % (len(value), value)
        case int():
            raw = b"%d" % value
            return b"i%d:%s" % (len(raw), raw)
