"""At the start: whether the policy may come into force. Refuses a guardian who quietly went away."""

from dataclasses import replace

from signer.domain.errors import ConfigurationError
from signer.domain.guardian import GuardianName
from signer.domain.policy_statement import GuardedPolicy
from signer.domain.transactions import ClientName
from signer.policy.model import Policy
from signer.ports.audit import Audit
from signer.ports.clock import Clock
from signer.ports.events import EventLog
from signer.ports.guardian import PolicyMemory, SignatureSource
from signer.service.guardian import Guardian
from signer.service.path.record import operator_act
from signer.service.policies import Policies

METHOD = "Start"
STARTER = ClientName("airlock:start")
_FLAG = "--accept-other-guardian"
_MAX_DETAIL = 2_000


class GuardPolicy:
    """Puts the configured guardian before the policies; None when the settings name none."""

    def __init__(
        self,
        *,
        guardian: GuardianName | None,
        signatures: SignatureSource,
        memory: PolicyMemory,
        audit: Audit,
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._name = guardian
        self._memory = memory
        self._audit = audit
        self._clock = clock
        self._log = log
        self._guardian = (
            None
            if guardian is None
            else Guardian(name=guardian, signatures=signatures, memory=memory, clock=clock)
        )

    async def __call__(self, policies: Policies, *, accept_other: bool) -> None:
        """Let `policies` be guarded from now on. Raises ConfigurationError for one that must not be used.

        `accept_other` is an operator's word that another guardian than the remembered one, or none, is meant.
        """
        known = await self._memory.guarded_policy()
        try:
            self._require_meant(known, accept_other=accept_other)
            if self._guardian is not None:
                await policies.be_guarded(self._guardian)
        except ConfigurationError as error:
            self._log.event("policy.refused", problem=str(error))
            await self._record(f"refused: {error}", "")
            raise
        # Recorded before it is remembered: a trail that cannot be written must not hide a change.
        await self._record_change(known, policies.current)
        if self._guardian is not None:
            await policies.put_in_force(policies.current)
        elif known is not None:
            await self._memory.remember_policy(replace(known, guardian=None), self._clock.now())

    def _require_meant(self, known: GuardedPolicy | None, *, accept_other: bool) -> None:
        if known is not None and known.guardian not in {None, self._name} and not accept_other:
            raise ConfigurationError(self._other(known.guardian))

    async def _record_change(self, known: GuardedPolicy | None, policy: Policy) -> None:
        before = None if known is None else known.guardian
        if before != self._name:
            self._log.event("policy.guardian_changed", before=before, after=self._name)
            change = f"guardian from {before or 'none'} to {self._name or 'none'}"
        elif self._name is None or known is None or known.policy_hash == policy.hash:
            return
        else:
            change = f"from {known.policy_hash} to {policy.hash}, serial {policy.serial}"
        self._log.event("policy.in_force", policy_hash=policy.hash, serial=policy.serial)
        await self._record(change, policy.hash)

    def _other(self, before: GuardianName | None) -> str:
        now = "names no guardian" if self._name is None else f"names {self._name}"
        return (
            f"guardian: signer.toml {now}, and the ledger remembers {before}: only that one decides about "
            f'policies. Put guardian = "{before}" back; or, if the change is meant, start once with {_FLAG}'
        )

    async def _record(self, detail: str, policy_hash: str) -> None:
        await self._audit.append(
            operator_act(
                client=STARTER,
                method=METHOD,
                account=None,
                details=(detail[:_MAX_DETAIL],),
                policy_hash=policy_hash,
                at=self._clock.now(),
            )
        )
