import pytest

from signer.domain.base58 import base58, base58_key


@pytest.mark.parametrize("key", [bytes(32), bytes(range(32)), b"\xff" * 32, b"\0" * 31 + b"\x01"])
def test_an_address_is_read_as_its_key(key: bytes) -> None:
    assert base58_key(base58(key)) == key


@pytest.mark.parametrize(
    "text", ["", "0", "oeYf6", base58(b"\xff" * 33), base58(b"\x01" * 31), "1" * 33, "z" * 44, "O" * 44]
)
def test_what_is_not_32_bytes_in_base58_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no Solana address"):
        base58_key(text)
