"""At the start: whether the policy may come into force. Refuses a guardian who quietly went away."""

from dataclasses import replace

from signer.domain.accounts import Address
from signer.domain.errors import ConfigurationError
from signer.domain.transactions import ClientName
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
        address: Address | None,
        signatures: SignatureSource,
        memory: PolicyMemory,
        audit: Audit,
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._address = address
        self._signatures = signatures
        self._memory = memory
        self._audit = audit
        self._clock = clock
        self._log = log

    async def __call__(self, policies: Policies, *, accept_other: bool) -> None:
        """Let `policies` be guarded from now on. Raises ConfigurationError for one that must not be used.

        `accept_other` is an operator's word that another guardian than the remembered one, or none, is meant.
        """
        try:
            before = await self._guard(policies, accept_other=accept_other)
        except ConfigurationError as error:
            self._log.event("policy.refused", problem=str(error))
            await self._record(f"refused: {error}", "")
            raise
        if before != self._address:
            self._log.event("policy.guardian_changed", before=before, after=self._address)
            await self._record(
                f"guardian from {before or 'none'} to {self._address or 'none'}", policies.current.hash
            )

    async def _guard(self, policies: Policies, *, accept_other: bool) -> Address | None:
        """Return the guardian of the last start."""
        known = await self._memory.guarded_policy()
        before = None if known is None else known.guardian
        if before is not None and before != self._address and not accept_other:
            raise ConfigurationError(self._other(before))
        if self._address is not None:
            guardian = Guardian(
                address=self._address, signatures=self._signatures, memory=self._memory, clock=self._clock
            )
            await policies.be_guarded(guardian)
        elif known is not None and before is not None:
            await self._memory.remember_policy(replace(known, guardian=None), self._clock.now())
        return before

    def _other(self, before: Address) -> str:
        now = "names no guardian" if self._address is None else f"names {self._address}"
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
