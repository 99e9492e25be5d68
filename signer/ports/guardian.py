"""The guardian of the policy as ports: who signs, where a signature lies, what is remembered."""

from collections.abc import Sequence
from typing import Protocol

from signer.domain.guardian import GuardianName
from signer.domain.policy_statement import (
    GuardedPolicy,
    GuardianSignature,
    PolicySignature,
    PolicyStatement,
)
from signer.domain.time import UnixMs
from signer.ports.device import Screen


class PolicySigner(Protocol):
    """A key that signs statements about policies and, through this port, nothing else.

    `guardian` and `sign_policy` raise what a KeyBackend raises: UnavailableError, PreconditionError,
    RejectedError, BrokenError. The caller verifies each signature over its own digest.
    """

    async def guardian(self) -> GuardianName:
        """Name of the key, by what the key itself says. Shows nothing to a person."""
        ...

    def screens(self, statement: PolicyStatement, guardian: GuardianName) -> Sequence[Screen]:
        """What a person has to confirm, as a device will show it; nothing where no person is asked."""
        ...

    async def sign_policy(self, statement: PolicyStatement, guardian: GuardianName) -> GuardianSignature:
        """Sign `statement.text()` with the key of `guardian`; a device shows it first.

        An Ethereum key signs it as a personal message (EIP-191), a Solana key as an off-chain message.
        """
        ...


class SignatureSource(Protocol):
    """Where the detached signature of the policy lies."""

    @property
    def name(self) -> str:
        """What people call it: the file's name, for errors."""
        ...

    async def read(self) -> PolicySignature | None:
        """Return it as it is now; None when there is none. Raises ConfigurationError for a malformed one."""
        ...


class PolicyMemory(Protocol):
    """Durable memory of the newest policy that came into force under a guardian."""

    async def guarded_policy(self) -> GuardedPolicy | None:
        """Return the newest; None when there never was a guardian. Raises UnavailableError."""
        ...

    async def remember_policy(self, policy: GuardedPolicy, now: UnixMs) -> None:
        """Make it durable. Raises UnavailableError; ConfigurationError when a newer one is remembered."""
        ...
