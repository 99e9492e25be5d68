"""Who signs policies: one key by its name. Refuses names of keys that everybody can sign with.

A guardian's messages belong to no chain, so its name has none: `0x…` or `solana:…`.
"""

from typing import NewType

from signer.domain.accounts import Address, parse_address
from signer.domain.base58 import base58, base58_key
from signer.domain.solana import SolanaKey

GuardianName = NewType("GuardianName", str)
"""`0x` and 40 lower-case hex digits (an Ethereum key), or `solana:` and 32 bytes in base58 (ed25519)."""

_SOLANA = "solana:"
_SIGN_BIT = 1 << 255
_FIELD = 2**255 - 19
_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = frozenset({0, 1, _ORDER_8, _FIELD - _ORDER_8, _FIELD - 1, _FIELD, _FIELD + 1})
"""The points of order 1, 2, 4 and 8, by y. For these keys anybody can make a signature up."""


def parse_guardian(text: str) -> GuardianName:
    """Return the canonical name. Raises ValueError naming the text and what is allowed."""
    if not text.startswith(_SOLANA):
        try:
            return evm_guardian(parse_address(text))
        except ValueError:
            problem = "is no guardian: 0x and 40 hex digits, or solana: and a base58 key are allowed"
            raise ValueError(f"{text[:80]!r} {problem}") from None
    key = base58_key(text.removeprefix(_SOLANA))
    if int.from_bytes(key, "little") % _SIGN_BIT in _SMALL_ORDER:
        raise ValueError(
            f"{text!r} is no guardian: everybody can sign for it; the key of a device is allowed"
        )
    return GuardianName(text)


def evm_guardian(address: Address) -> GuardianName:
    """Name of an Ethereum key."""
    return GuardianName(address)


def solana_guardian(key: bytes) -> GuardianName:
    """Name of an ed25519 key."""
    return GuardianName(f"{_SOLANA}{base58(key)}")


def solana_key_of(guardian: GuardianName) -> SolanaKey | None:
    """The ed25519 key behind a name; None for an Ethereum key."""
    if not guardian.startswith(_SOLANA):
        return None
    return SolanaKey(base58_key(guardian.removeprefix(_SOLANA)))
