"""CAIP names: one spelling inside, many refused outside."""

import pytest

from signer.domain.accounts import (
    Account,
    AccountId,
    ChainName,
    evm_chain_id,
    parse_account_id,
    parse_address,
    parse_chain,
)

MIXED = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
SOLANA = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"


def test_an_evm_account_is_kept_in_lower_case() -> None:
    account = Account(
        id=parse_account_id(f"eip155:31337:{MIXED}"), wallet="hot", wallet_position=0, backend="dev"
    )

    assert account.id == f"eip155:31337:{MIXED.lower()}"
    assert account.chain == "eip155:31337"
    assert account.address == MIXED.lower()
    assert evm_chain_id(account.chain) == 31337


def test_a_solana_account_keeps_its_spelling() -> None:
    text = f"{SOLANA}:7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv"

    assert parse_account_id(text) == AccountId(text)
    with pytest.raises(ValueError, match="has no EIP-155 chain id"):
        evm_chain_id(ChainName(SOLANA))


@pytest.mark.parametrize(
    "text",
    [
        "",
        MIXED,
        f"eip155:0:{MIXED}",
        f"eip155:01:{MIXED}",
        f"eip155:1:{MIXED}0",
        f"EIP155:1:{MIXED}",
        "solana:x:y",
    ],
)
def test_anything_else_is_no_account(text: str) -> None:
    with pytest.raises(ValueError, match="is not an account: CAIP-10"):
        parse_account_id(text)


@pytest.mark.parametrize("text", ["", "0x12", MIXED[2:], f"{MIXED}\n", f"{MIXED}00"])
def test_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="is not an EVM address"):
        parse_address(text)


def test_chains_are_of_a_known_namespace() -> None:
    assert parse_chain("eip155:1") == "eip155:1"
    assert parse_chain(SOLANA) == SOLANA
    with pytest.raises(ValueError, match="is not a chain: CAIP-2"):
        parse_chain("cosmos:hub")
