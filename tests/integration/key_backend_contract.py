"""What every key backend promises. A backend's tests inherit this class and say how it is opened.

`backend`: an open backend that holds the keys of `evm_account` (and of `solana_account`, or None) and no
others. `secrets`: texts that no repr, pickle or log of it may hold. `make_unavailable`: cuts it off its
keys, or None when that cannot happen.
"""

import asyncio
import logging
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from signer.decode.evm.envelope import signing_hash
from signer.decode.evm.recovery import recover_address, require_well_formed
from signer.domain.accounts import AccountId, Address, address_of
from signer.domain.errors import BrokenError, UnavailableError
from signer.domain.transactions import EvmPayload, UnsignedEvmTransaction
from signer.ports.key_backend import KeyBackend

PAYLOAD = EvmPayload(
    to=Address("0x" + "21" * 20),
    value_wei=0,
    data=b"\x38\xed\x17\x39" + bytes(64),
    gas_limit=200_000,
    max_fee_per_gas_wei=30 * 10**9,
    max_priority_fee_per_gas_wei=10**9,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A backend under test. `solana_public_key` is 32 bytes."""

    backend: KeyBackend
    evm_account: AccountId
    solana_account: AccountId | None = None
    solana_public_key: bytes = b""
    solana_message: bytes = b"\x80" + bytes(range(200))  # a device reads it: give a well-formed one
    secrets: Sequence[str] = ()
    make_unavailable: Callable[[], None] | None = None
    chain_id: int = 31337

    def transaction(self, nonce: int = 0) -> UnsignedEvmTransaction:
        return UnsignedEvmTransaction(chain_id=self.chain_id, nonce=nonce, payload=PAYLOAD)


class KeyBackendContract:
    """Inherit, and give a fixture `subject`."""

    async def test_it_names_its_accounts(self, subject: Subject) -> None:
        expected = {subject.evm_account, subject.solana_account} - {None}

        assert set(await subject.backend.accounts()) == expected

    async def test_the_key_is_that_of_the_pinned_address(self, subject: Subject) -> None:
        await subject.backend.check(subject.evm_account)

    async def test_a_signature_recovers_to_the_account_over_our_own_digest(self, subject: Subject) -> None:
        transaction = subject.transaction(nonce=7)

        signature = await subject.backend.sign_evm(subject.evm_account, transaction)

        recovered = recover_address(signing_hash(transaction), signature)
        assert recovered == address_of(subject.evm_account)

    async def test_signatures_are_low_s(self, subject: Subject) -> None:
        for nonce in range(16):
            signature = await subject.backend.sign_evm(subject.evm_account, subject.transaction(nonce))
            require_well_formed(signature)

    async def test_an_account_that_it_does_not_hold_is_refused(self, subject: Subject) -> None:
        stranger = AccountId(f"eip155:{subject.chain_id}:0x" + "99" * 20)

        with pytest.raises(BrokenError):
            await subject.backend.check(stranger)
        with pytest.raises(BrokenError):
            await subject.backend.sign_evm(stranger, subject.transaction())

    async def test_a_transaction_of_another_chain_is_refused(self, subject: Subject) -> None:
        foreign = replace(subject.transaction(), chain_id=1)

        with pytest.raises(BrokenError):
            await subject.backend.sign_evm(subject.evm_account, foreign)

    async def test_concurrent_signatures_are_not_mixed_up(self, subject: Subject) -> None:
        transactions = [subject.transaction(nonce) for nonce in range(32)]

        signatures = await asyncio.gather(
            *(subject.backend.sign_evm(subject.evm_account, each) for each in transactions)
        )

        recovered = {
            recover_address(signing_hash(transaction), signature)
            for transaction, signature in zip(transactions, signatures, strict=True)
        }
        assert recovered == {address_of(subject.evm_account)}

    async def test_a_solana_message_is_signed_whole(self, subject: Subject) -> None:
        if subject.solana_account is None:
            pytest.skip("this backend holds no Solana key")
        message = subject.solana_message

        signature = await subject.backend.sign_solana(subject.solana_account, message)

        Ed25519PublicKey.from_public_bytes(subject.solana_public_key).verify(signature, message)
        with pytest.raises(BrokenError):
            await subject.backend.sign_solana(subject.evm_account, message)

    async def test_out_of_reach_is_unavailable_and_signs_nothing(self, subject: Subject) -> None:
        if subject.make_unavailable is None:
            pytest.skip("this backend cannot be out of reach")
        subject.make_unavailable()

        with pytest.raises(UnavailableError):
            await subject.backend.sign_evm(subject.evm_account, subject.transaction())

    async def test_no_key_in_repr_pickle_or_log(
        self, subject: Subject, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            await subject.backend.sign_evm(subject.evm_account, subject.transaction())
            shown = repr(subject.backend) + str(subject.backend) + caplog.text

        assert not any(secret in shown for secret in subject.secrets)
        with pytest.raises((TypeError, pickle.PicklingError)):
            pickle.dumps(subject.backend)
