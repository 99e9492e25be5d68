"""Pause and Resume: whether accounts sign. Durable, audited, in effect before the answer."""

import asyncio

from signer.domain.accounts import AccountId, AccountState
from signer.ports.audit import Audit
from signer.ports.clock import Clock
from signer.service.accounts import Accounts, not_signing
from signer.service.approvals.approvals import Approvals
from signer.service.clients import Client, Role
from signer.service.path.record import operator_act
from signer.service.policies import Policies


class Pause:
    """Stops signing."""

    def __init__(
        self, *, accounts: Accounts, approvals: Approvals, policies: Policies, audit: Audit, clock: Clock
    ) -> None:
        self._accounts = accounts
        self._approvals = approvals
        self._policies = policies
        self._audit = audit
        self._clock = clock

    async def __call__(self, client: Client, account: AccountId | None, reason: str) -> tuple[AccountId, ...]:
        """Pause one account, or all with None; returns those that are paused now.

        Raises UnavailableError when a pause is not durable; in this process all of them hold.
        """
        client.require_role(Role.ADMIN, "Pause")
        chosen = self._accounts.chosen(account)
        pauses = [self._pause(each, reason or "paused by an operator") for each in chosen]
        # All at once: an account that cannot be paused durably now keeps no other one signing.
        ends = await asyncio.gather(*pauses, return_exceptions=True)
        # Stopping must work even when the trail does not: it is written after the pause has taken effect.
        await self._audit.append(
            operator_act(
                client=client.name,
                method="Pause",
                account=account,
                details=(reason,),
                policy_hash=self._policies.current.hash,
                at=self._clock.now(),
            )
        )
        for problem in ends:
            if problem is not None:
                raise problem
        return paused(self._accounts)

    async def _pause(self, account: AccountId, why: str) -> None:
        try:
            await self._accounts.pause(account, why)
        finally:
            self._approvals.end_all_of(account, not_signing(account, AccountState.PAUSED, why))


class Resume:
    """Lets accounts sign again."""

    def __init__(self, *, accounts: Accounts, policies: Policies, audit: Audit, clock: Clock) -> None:
        self._accounts = accounts
        self._policies = policies
        self._audit = audit
        self._clock = clock

    async def __call__(self, client: Client, account: AccountId | None) -> tuple[AccountId, ...]:
        """Resume one account, or all with None; returns those that are still paused."""
        client.require_role(Role.ADMIN, "Resume")
        await self._audit.append(
            operator_act(
                client=client.name,
                method="Resume",
                account=account,
                details=(),
                policy_hash=self._policies.current.hash,
                at=self._clock.now(),
            )
        )
        for each in self._accounts.chosen(account):
            await self._accounts.resume(each)
        return paused(self._accounts)


def paused(accounts: Accounts) -> tuple[AccountId, ...]:
    """Accounts that do not sign now because they are paused, and those whose drain is held."""
    views = [accounts.view(each) for each in accounts.ids()]
    return tuple(
        view.account.id
        for view in views
        if view.state is AccountState.PAUSED or (view.state is AccountState.DRAINING and view.reason)
    )
