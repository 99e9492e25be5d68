"""The guardian of the policy: lets only what it signed, and never an older one, come into force."""

from signer.domain.errors import ConfigurationError
from signer.domain.guardian import GuardianName
from signer.domain.policy_statement import GuardedPolicy, PolicyStatement
from signer.policy.model import Policy
from signer.ports.clock import Clock
from signer.ports.guardian import PolicyMemory, SignatureSource
from signer.service.policy_signature import require_signed, statement_of


class Guardian:
    """Stands between a policy that was read and one that is in force."""

    def __init__(
        self, *, name: GuardianName, signatures: SignatureSource, memory: PolicyMemory, clock: Clock
    ) -> None:
        self._name = name
        self._signatures = signatures
        self._memory = memory
        self._clock = clock

    async def judge(self, policy: Policy, source: str) -> None:
        """Raise ConfigurationError unless `policy`, read from `source`, may come into force now."""
        statement = await require_signed(policy, source, self._signatures, self._name)
        newest = await self._memory.guarded_policy()
        if newest is not None:
            problem = newest.why_not_followed_by(statement.serial, statement.policy_hash)
            if problem is not None:
                raise ConfigurationError(f"{source}: {problem}")

    async def remember(self, policy: Policy, source: str) -> None:
        """Make it durable that `policy` comes into force, so that nothing older ever will again."""
        statement = statement_of(policy, source)
        await self._memory.remember_policy(_guarded(self._name, statement), self._clock.now())


def _guarded(guardian: GuardianName, statement: PolicyStatement) -> GuardedPolicy:
    return GuardedPolicy(guardian=guardian, serial=statement.serial, policy_hash=statement.policy_hash)
