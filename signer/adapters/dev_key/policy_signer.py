"""A policy signer with its key in memory, for development and air-gapped hosts. Signs policies only."""

from collections.abc import Sequence

from coincurve import PrivateKey
from typing_extensions import override

from signer.adapters.dev_key.public_accounts import ethereum_address
from signer.decode.evm.personal_message import personal_message_digest
from signer.domain.errors import BrokenError
from signer.domain.guardian import GuardianName, evm_guardian
from signer.domain.policy_statement import PolicyStatement
from signer.domain.reasons import FailReason
from signer.domain.transactions import EvmSignature
from signer.ports.device import Screen


class DevPolicySigner:
    """Signs with a raw key of 32 bytes (signer.ports.guardian.PolicySigner). No person is asked."""

    def __init__(self, key: bytes) -> None:
        self._key = PrivateKey(key)
        self._guardian = evm_guardian(ethereum_address(key))

    async def guardian(self) -> GuardianName:
        """Address of the key."""
        return self._guardian

    def screens(self, statement: PolicyStatement, guardian: GuardianName) -> Sequence[Screen]:
        """No person is asked."""
        del statement, guardian
        return ()

    async def sign_policy(self, statement: PolicyStatement, guardian: GuardianName) -> EvmSignature:
        """Sign the text of the statement."""
        if guardian != self._guardian:
            raise BrokenError(
                FailReason.BROKEN, f"the key of {self._guardian} was asked to sign as {guardian}"
            )
        signature = self._key.sign_recoverable(personal_message_digest(statement.text()), hasher=None)
        return EvmSignature(
            r=int.from_bytes(signature[:32], "big"),
            s=int.from_bytes(signature[32:64], "big"),
            y_parity=signature[64],
        )

    @override
    def __repr__(self) -> str:
        return f"DevPolicySigner({self._guardian})"
