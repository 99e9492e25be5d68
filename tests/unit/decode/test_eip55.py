"""The spelling of addresses, against the examples of EIP-55 and a second implementation."""

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis.strategies import binary

from signer.decode.evm.eip55 import checksummed
from signer.domain.accounts import Address


@pytest.mark.parametrize(
    "spelled",
    [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
    ],
)
def test_the_examples_of_the_eip(spelled: str) -> None:
    assert checksummed(Address(spelled.lower())) == spelled


@given(binary(min_size=20, max_size=20))
def test_it_is_what_others_write(raw: bytes) -> None:
    address = Address(f"0x{raw.hex()}")

    assert checksummed(address) == to_checksum_address(address)
