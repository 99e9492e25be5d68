"""Step 3: what the rules need to know of the world: the latest block and independent prices."""

import asyncio

from signer.domain.accounts import AccountId
from signer.domain.actions import Action, NotUnderstood, Swap
from signer.domain.budget import Usage
from signer.domain.chain import Head, ReferenceQuote
from signer.domain.claims import Claim
from signer.domain.time import UnixMs
from signer.domain.transactions import EvmPayload
from signer.policy.model import Policy
from signer.policy.proposal import Proposal
from signer.ports.clock import Clock
from signer.service.accounts import Accounts, Binding


class Gather:
    """Builds the proposal that is judged."""

    def __init__(self, *, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock

    async def __call__(
        self,
        *,
        policy: Policy,
        account: AccountId,
        payload: EvmPayload,
        claim: Claim,
        action: Action | NotUnderstood,
        usage: Usage,
        asked_at: UnixMs | None = None,
    ) -> Proposal:
        """Raises UnavailableError when the account's node is out of reach: no verdict without a view.

        `asked_at` is given when a person's time lies between then and now.
        """
        binding = self._accounts.binding(account)
        head = await binding.chain.head()
        quotes = await _quotes(policy, account, binding, action, head)
        now = self._clock.now()
        return Proposal(
            account=account,
            payload=payload,
            claim=claim,
            action=action,
            head=head,
            quotes=quotes,
            usage=usage,
            now=now,
            asked_at=now if asked_at is None else asked_at,
            attended=binding.device is not None,
        )


async def _quotes(
    policy: Policy, account: AccountId, binding: Binding, action: Action | NotUnderstood, head: Head
) -> tuple[ReferenceQuote, ...]:
    rules = policy.account(account)
    if not isinstance(action, Swap) or rules is None:
        return ()
    via = rules.price_source(action.router)
    if via is None:
        return ()
    if len(binding.references) == 1:  # a task for one would only cost
        answers = [await binding.references[0].quote(action, via, head)]
    else:
        answers = await asyncio.gather(*(each.quote(action, via, head) for each in binding.references))
    return tuple(answer for answer in answers if answer is not None)
