"""An address as people read it: the case of its letters is a checksum. Source: EIP-55."""

from functools import lru_cache

from signer.decode.evm.keccak import keccak256
from signer.domain.accounts import Address

_UPPER_FROM = 8


@lru_cache(maxsize=1_024)
def checksummed(address: Address) -> str:
    """Return `0x` and 40 hex digits in mixed case. Takes the signer's own lower-case form."""
    digits = address.removeprefix("0x")
    marks = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(mark, 16) >= _UPPER_FROM else digit
        for digit, mark in zip(digits, marks, strict=False)
    )
