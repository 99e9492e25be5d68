"""An off-chain message of Solana, version 0, as the application of a Ledger signs it. Plain text only.

The first byte, 0xff, is that of no transaction: what is signed here can move nothing. Layout: signing domain,
version, application domain (32 bytes; zero says that none is given), format, signers, length, text.
"""

from signer.domain.solana import SolanaKey

TEXT_MAX = 1_147
"""What fits into a packet of 1,232 bytes beside the header."""

_DOMAIN = b"\xffsolana offchain"
_VERSION, _PRINTABLE_ASCII = b"\x00", b"\x00"
_NO_APPLICATION = bytes(32)
_ONE_SIGNER = b"\x01"
_LENGTH_BYTES = 2


def offchain_message(text: str, signer: SolanaKey) -> bytes:
    """Return the bytes that `signer` signs for a text.

    Raises ValueError for text that is empty, too long, or other than printable ASCII: a device would show its
    hash only.
    """
    if not text.isascii() or not text.isprintable() or not 0 < len(text) <= TEXT_MAX:
        raise ValueError(
            f"a text of {len(text)} characters is no off-chain message: 1 to {TEXT_MAX} of printable ASCII "
            "are allowed"
        )
    header = _DOMAIN + _VERSION + _NO_APPLICATION + _PRINTABLE_ASCII + _ONE_SIGNER + signer
    return header + len(text).to_bytes(_LENGTH_BYTES, "little") + text.encode("ascii")
