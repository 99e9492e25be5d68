"""A signature counts for its own kind of key, its own key and its own text."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signer.decode.solana.offchain_message import offchain_message
from signer.domain.accounts import ChainName
from signer.domain.errors import ConfigurationError
from signer.domain.guardian import GuardianName, solana_guardian
from signer.domain.policy_statement import Ed25519Signature, PolicySignature, PolicyStatement
from signer.domain.solana import SolanaKey
from signer.service.policy_signature import sign_policy, verify
from tests.fakes.guardians import GUARDIAN, STRANGER, signer_of

STATEMENT = PolicyStatement(serial=3, chains=(ChainName("eip155:1"),), policy_hash="ab" * 32)


def _by_solana(number: int, statement: PolicyStatement = STATEMENT) -> PolicySignature:
    key = Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))
    public = SolanaKey(key.public_key().public_bytes_raw())
    signature = Ed25519Signature(key.sign(offchain_message(statement.text(), public)))
    return PolicySignature(statement=statement, signer=solana_guardian(public), signature=signature)


def test_a_solana_key_signs_policies() -> None:
    verify(_by_solana(1), STATEMENT, "policy.toml.sig")


async def test_a_signature_in_the_name_of_another_key_or_kind_is_refused() -> None:
    evm = await sign_policy(signer_of(), STATEMENT)
    one, two = _by_solana(1), _by_solana(2)
    forged = [
        replace(one, signer=two.signer),
        replace(one, signer=GUARDIAN),
        replace(evm, signer=one.signer),
        replace(evm, signer=STRANGER),
        replace(_by_solana(1, replace(STATEMENT, serial=2)), statement=STATEMENT),
        replace(one, signature=Ed25519Signature(b"")),
    ]

    for signed in forged:
        with pytest.raises(ConfigurationError, match=f"is no signature of {signed.signer} over this policy"):
            verify(signed, STATEMENT, "policy.toml.sig")


async def test_a_key_that_is_not_the_guardians_is_not_asked_to_sign() -> None:
    announced: list[GuardianName] = []

    with pytest.raises(ConfigurationError, match="only the guardian"):
        await sign_policy(signer_of(), STATEMENT, guardian=STRANGER, announce=announced.append)

    assert announced == []
