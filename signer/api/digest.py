"""One digest over everything that a client sent. Never over protobuf's bytes, so it is stable for ever."""

import hashlib
from collections.abc import Iterable


def request_digest(method: str, values: Iterable[str | bytes | int]) -> str:
    """SHA-256, 64 hex digits, over the method and the checked values in the order of the contract.

    Each value carries its type and length, so that no two different sequences have the same encoding.
    """
    parts = [b"airlock.signer.v1/%s\n" % method.encode()]
    for value in values:
        if isinstance(value, str):
            kind, raw = b"s", value.encode()
        elif isinstance(value, bytes):
            kind, raw = b"b", value
        else:
            kind, raw = b"i", b"%d" % value
        parts += (kind, b"%d:" % len(raw), raw)
    return hashlib.sha256(b"".join(parts)).hexdigest()
