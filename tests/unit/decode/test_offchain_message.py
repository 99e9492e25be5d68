"""The off-chain message of Solana: the bytes that the application signed; nothing that is no plain text."""

import pytest

from signer.decode.solana.message import parse_message
from signer.decode.solana.offchain_message import TEXT_MAX, offchain_message
from signer.decode.solana.signature import require_signature
from signer.domain.solana import SolanaKey

KEY = SolanaKey(bytes.fromhex("0bf32b9f0db09672038fea36139b18f98a5f0149ef4ce0332e44b9a77e83c22d"))
SIGNED_BY_THE_APPLICATION = bytes.fromhex(
    "7018ff459be922928fae6af3fdc94e6aa10786d4d20f7a646bf81359f9e28233"
    "59da5bfc17e4bda7543da67f9d8a53f8aecb861670f43a21d2da0c1e4179ee05"
)
"""Over the text "hello desk": Solana 1.9.0 in its emulator, key of the public test mnemonic."""


def test_it_is_what_the_application_signs() -> None:
    require_signature(KEY, offchain_message("hello desk", KEY), SIGNED_BY_THE_APPLICATION)


def test_a_signature_is_over_its_own_text_only() -> None:
    with pytest.raises(ValueError, match="another message"):
        require_signature(KEY, offchain_message("hello desl", KEY), SIGNED_BY_THE_APPLICATION)


def test_it_can_be_no_transaction() -> None:
    with pytest.raises(ValueError, match="version"):
        parse_message(offchain_message("Airlock policy; serial 1", KEY))


@pytest.mark.parametrize("text", ["", "x" * (TEXT_MAX + 1), "two\nlines", "café", "a\x7fb"])
def test_what_a_device_would_not_show_as_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        offchain_message(text, KEY)


def test_the_longest_text_fills_a_packet() -> None:
    assert len(offchain_message("x" * TEXT_MAX, KEY)) == 1_232
