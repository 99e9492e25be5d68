"""The policy in force. A reload replaces it whole or not at all; one version judges a whole request.

Under a guardian nothing comes into force that it did not sign.
"""

from signer.domain.accounts import AccountId
from signer.policy.inherit import with_successors
from signer.policy.load import load
from signer.policy.model import Policy
from signer.policy.surroundings import Surroundings
from signer.ports.policy_source import PolicySource
from signer.service.guardian import Guardian


class Policies:
    """Holds the policy in force."""

    def __init__(self, *, source: PolicySource, first: Policy, surroundings: Surroundings | None) -> None:
        self._source = source
        self._surroundings = surroundings
        self._file = first
        self._current = first
        self._successions: list[tuple[AccountId, AccountId]] = []
        self._guardian: Guardian | None = None

    @classmethod
    async def open(cls, source: PolicySource, surroundings: Surroundings | None = None) -> "Policies":
        """Begin with the file as it is now. Raises ConfigurationError naming every mistake and open door.

        No policy comes into force that does not fit the `surroundings`.
        """
        return cls(source=source, first=await _read(source, surroundings), surroundings=surroundings)

    @property
    def current(self) -> Policy:
        """The version that a request takes once and keeps."""
        return self._current

    async def read_again(self) -> tuple[Policy, Policy]:
        """Policies (in force, as the file is now). Raises ConfigurationError; nothing changes either way."""
        offered = await _read(self._source, self._surroundings)
        if self._guardian is not None:
            await self._guardian.judge(offered, self._source.name)
        return self._current, offered

    async def be_guarded(self, guardian: Guardian) -> None:
        """Let `guardian` decide, first about the file as it was read. Raises ConfigurationError for a no.

        What it lets pass still has to be put in force, which makes it durable.
        """
        await guardian.judge(self._file, self._source.name)
        self._guardian = guardian

    async def put_in_force(self, policy: Policy) -> None:
        """Judge by `policy` from the next request on, once it is durable that nothing older may follow."""
        if self._guardian is not None:
            await self._guardian.remember(policy, self._source.name)
        self._file = policy
        self._current = with_successors(policy, self._successions)

    def inherit(self, old: AccountId, new: AccountId) -> None:
        """Judge `new` by the table of `old` from now on, as long as the file has none for it."""
        if (old, new) not in self._successions:
            self._successions.append((old, new))
            self._current = with_successors(self._file, self._successions)


async def _read(source: PolicySource, surroundings: Surroundings | None) -> Policy:
    return load(await source.read(), source.name, surroundings)
