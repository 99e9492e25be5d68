"""Names of guardians: two kinds of keys, one spelling each, and none that everybody can sign for."""

import pytest

from signer.domain.accounts import Address
from signer.domain.base58 import base58
from signer.domain.guardian import evm_guardian, parse_guardian, solana_guardian, solana_key_of

ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
KEY = bytes.fromhex("0bf32b9f0db09672038fea36139b18f98a5f0149ef4ce0332e44b9a77e83c22d")
FIELD = 2**255 - 19
ORDER_8 = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
WEAK = {
    "the system program, of order 4": bytes(32),
    "the same with a sign": bytes(31) + b"\x80",
    "order 1": b"\x01" + bytes(31),
    "order 2": (FIELD - 1).to_bytes(32, "little"),
    "order 4, spelled otherwise": FIELD.to_bytes(32, "little"),
    "order 1, spelled otherwise": (FIELD + 1).to_bytes(32, "little"),
    "order 8": ORDER_8,
    "order 8, negative": (FIELD - int.from_bytes(ORDER_8, "little")).to_bytes(32, "little"),
    "order 8 with a sign": ORDER_8[:-1] + bytes((ORDER_8[-1] | 0x80,)),
}


def test_an_address_is_a_guardian_in_lower_case() -> None:
    guardian = parse_guardian(ADDRESS)

    assert guardian == ADDRESS.lower() == evm_guardian(Address(ADDRESS.lower()))
    assert solana_key_of(guardian) is None


def test_a_solana_key_is_a_guardian() -> None:
    guardian = parse_guardian(f"solana:{base58(KEY)}")

    assert guardian == solana_guardian(KEY)
    assert solana_key_of(guardian) == KEY


@pytest.mark.parametrize(
    "text",
    ["", "0x", ADDRESS[:-1], base58(KEY), f"Solana:{base58(KEY)}", f"solana: {base58(KEY)}", "solana:",
     f"solana:{base58(KEY)[:-1]}", f"solana:1{base58(KEY)}", "solana:0x12", f"solana:mainnet:{base58(KEY)}"],
)  # fmt: skip
def test_what_names_no_key_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="allowed"):
        parse_guardian(text)


@pytest.mark.parametrize("key", WEAK.values(), ids=WEAK)
def test_a_key_that_everybody_can_sign_for_is_no_guardian(key: bytes) -> None:
    with pytest.raises(ValueError, match="everybody can sign for it"):
        parse_guardian(solana_guardian(key))
