"""ReloadPolicy: the policy file again, whole or not at all."""

from signer.domain.errors import ConfigurationError
from signer.policy.model import Policy
from signer.ports.audit import Audit
from signer.ports.clock import Clock
from signer.ports.events import EventLog
from signer.service.clients import Client, Role
from signer.service.path.record import operator_act
from signer.service.policies import Policies

METHOD = "ReloadPolicy"
_MAX_DETAIL = 2_000


class ReloadPolicy:
    """Reads the policy again."""

    def __init__(self, *, policies: Policies, audit: Audit, clock: Clock, log: EventLog) -> None:
        self._policies = policies
        self._audit = audit
        self._clock = clock
        self._log = log

    async def __call__(self, client: Client, *, dry_run: bool) -> tuple[Policy, Policy]:
        """Policies (before, after). Raises ConfigurationError, naming every finding; the old one stays."""
        client.require_role(Role.ADMIN, METHOD)
        try:
            before, after = await self._policies.read_again()
            if not dry_run:
                edition = "" if after.serial is None else f", serial {after.serial}"
                await self._record(client, f"from {before.hash} to {after.hash}{edition}")
                await self._policies.put_in_force(after)
                self._log.event("policy.in_force", policy_hash=after.hash, serial=after.serial)
        except ConfigurationError as error:
            if not dry_run:
                self._log.event("policy.refused", problem=str(error))
                await self._record(client, f"refused: {error}")
            raise
        return before, after

    async def _record(self, client: Client, detail: str) -> None:
        await self._audit.append(
            operator_act(
                client=client.name,
                method=METHOD,
                account=None,
                details=(detail[:_MAX_DETAIL],),
                policy_hash=self._policies.current.hash,
                at=self._clock.now(),
            )
        )
