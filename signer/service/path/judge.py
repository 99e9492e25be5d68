"""Step 4: the verdict on one proposal.

Understanding, gathering and deciding, wholly by one version of the policy.
"""

from dataclasses import dataclass, replace

from signer.domain.accounts import AccountId
from signer.domain.actions import Action, NotUnderstood
from signer.domain.budget import Usage
from signer.domain.chain import ReferenceQuote
from signer.domain.claims import Claim
from signer.domain.decisions import Decision, Denied
from signer.domain.time import UnixMs
from signer.domain.transactions import EvmPayload
from signer.policy.decide import decide
from signer.policy.model import Policy
from signer.ports.ledger import Ledger
from signer.service.path.gather import Gather
from signer.service.path.understand import understand
from signer.service.policies import Policies

_NOTHING_USED: Usage = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict with what it was about, which policy gave it, and the references that it saw."""

    decision: Decision
    action: Action | NotUnderstood
    policy: Policy
    quotes: tuple[ReferenceQuote, ...]


class Judge:
    """Judges without any effect."""

    def __init__(self, *, policies: Policies, gather: Gather, ledger: Ledger) -> None:
        self._policies = policies
        self._gather = gather
        self._ledger = ledger

    async def __call__(
        self,
        account: AccountId,
        payload: EvmPayload,
        claim: Claim,
        *,
        with_usage: bool,
        asked_at: UnixMs | None = None,
    ) -> Judgement:
        """Verdict on one transaction.

        A signing request leaves `with_usage` off: reserving checks the rolling limits again, in the
        transaction that counts. When the other rules deny already, usage is read after all, because every
        violation is reported. `asked_at` is given when a person's time lies between then and now.
        """
        policy = self._policies.current
        action = understand(policy, account, payload)
        proposal = await self._gather(
            policy=policy,
            account=account,
            payload=payload,
            claim=claim,
            action=action,
            usage=_NOTHING_USED,
            asked_at=asked_at,
        )
        decision: Decision | None = None if with_usage else decide(policy, proposal)
        if decision is None or isinstance(decision, Denied):
            usage = await self._usage(policy, account, proposal.now)
            decision = decide(policy, replace(proposal, usage=usage))
        return Judgement(decision=decision, action=action, policy=policy, quotes=proposal.quotes)

    async def _usage(self, policy: Policy, account: AccountId, now: UnixMs) -> Usage:
        rules = policy.account(account)
        if rules is None:
            return _NOTHING_USED
        uses = await self._ledger.usage(account, rules.limits, now)
        return {(use.limit.resource, use.limit.window_s): use.used for use in uses}
