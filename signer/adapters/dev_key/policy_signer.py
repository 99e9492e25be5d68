"""A policy signer with its key in memory, for development and air-gapped hosts. Signs policies only."""

from coincurve import PrivateKey
from typing_extensions import override

from signer.adapters.dev_key.public_accounts import ethereum_address
from signer.decode.evm.personal_message import personal_message_digest
from signer.domain.accounts import Address
from signer.domain.policy_statement import PolicyStatement
from signer.domain.transactions import EvmSignature


class DevPolicySigner:
    """Signs with a raw key of 32 bytes (signer.ports.guardian.PolicySigner). No person is asked."""

    def __init__(self, key: bytes) -> None:
        self._key = PrivateKey(key)
        self._address = ethereum_address(key)

    async def address(self) -> Address:
        """Address of the key."""
        return self._address

    async def sign_policy(self, statement: PolicyStatement) -> EvmSignature:
        """Sign the text of the statement."""
        signature = self._key.sign_recoverable(personal_message_digest(statement.text()), hasher=None)
        return EvmSignature(
            r=int.from_bytes(signature[:32], "big"),
            s=int.from_bytes(signature[32:64], "big"),
            y_parity=signature[64],
        )

    @override
    def __repr__(self) -> str:
        return f"DevPolicySigner({self._address})"
