"""The guardian of the policy as ports: who signs, where a signature lies, what is remembered."""

from typing import Protocol

from signer.domain.accounts import Address
from signer.domain.policy_statement import GuardedPolicy, PolicySignature, PolicyStatement
from signer.domain.time import UnixMs
from signer.domain.transactions import EvmSignature


class PolicySigner(Protocol):
    """A key that signs statements about policies and, through this port, nothing else.

    Both methods raise what a KeyBackend raises: UnavailableError, PreconditionError, RejectedError. The
    caller verifies each signature over its own digest.
    """

    async def address(self) -> Address:
        """Address of the key, by what the key itself says."""
        ...

    async def sign_policy(self, statement: PolicyStatement) -> EvmSignature:
        """Sign `statement.text()` as an Ethereum personal message (EIP-191); a device shows it first."""
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
