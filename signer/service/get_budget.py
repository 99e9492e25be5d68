"""GetBudget: how much of every rolling limit is used now."""

from dataclasses import dataclass

from signer.domain.accounts import AccountId
from signer.ports.clock import Clock
from signer.ports.ledger import Ledger, LimitUse
from signer.service.clients import Client
from signer.service.policies import Policies

METHOD = "GetBudget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Use of the rolling limits of one account, under one version of the policy."""

    lines: tuple[LimitUse, ...]
    policy_hash: str


class GetBudget:
    """Reads the budget."""

    def __init__(self, *, policies: Policies, ledger: Ledger, clock: Clock) -> None:
        self._policies = policies
        self._ledger = ledger
        self._clock = clock

    async def __call__(self, client: Client, account: AccountId) -> Budget:
        """No lines for an account that the policy does not name: everything is denied there."""
        client.require(METHOD, account)
        policy = self._policies.current
        rules = policy.account(account)
        limits = rules.limits if rules is not None else ()
        uses = await self._ledger.usage(account, limits, self._clock.now())
        return Budget(lines=tuple(uses), policy_hash=policy.hash)
