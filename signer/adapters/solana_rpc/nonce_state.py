"""The bytes of a nonce account. Refuses everything but an initialized one of the current version.

80 bytes, little-endian: version u32, state u32, authority 32, durable nonce 32, lamports per signature u64.
Source: the runtime's `solana-nonce`. A message is never taken for a nonce of version 0 ("legacy").
"""

import struct

from signer.domain.base58 import base58
from signer.domain.solana import SYSTEM_PROGRAM, Blockhash, SolanaKey
from signer.ports.blockhashes import NonceAccount

_LAYOUT = struct.Struct("<II32s32sQ")
_CURRENT, _INITIALIZED = 1, 1


class NoNonceError(Exception):
    """The account is something else. Says what, and what is allowed."""


def read_nonce_state(owner: bytes, data: bytes) -> NonceAccount:
    """Read the data of an account that the program `owner` owns. Raises NoNonceError."""
    if owner != SYSTEM_PROGRAM:
        raise NoNonceError(f"it belongs to the program {base58(owner)}; the System program's are allowed")
    if len(data) != _LAYOUT.size:
        raise NoNonceError(f"it has {len(data)} bytes; {_LAYOUT.size} are allowed")
    version, state, authority, value, _fee = _LAYOUT.unpack(data)
    if (version, state) != (_CURRENT, _INITIALIZED):
        text = f"its version is {version} and its state {state}; {_CURRENT} and {_INITIALIZED} are allowed"
        raise NoNonceError(text)
    return NonceAccount(value=Blockhash(value), authority=SolanaKey(authority))
