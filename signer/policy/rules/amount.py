"""Refuses a trade above the `max_per_trade` of the token given. Wrapping and unwrapping are trades too."""

from collections.abc import Iterator

from signer.domain.actions import Swap, WethDeposit, WethWithdraw
from signer.domain.decisions import Violation
from signer.domain.reasons import DenyReason
from signer.policy.model import AccountPolicy
from signer.policy.proposal import Proposal


def amount(account: AccountPolicy, proposal: Proposal) -> Iterator[Violation]:
    """At most so much at once."""
    action = proposal.action
    if isinstance(action, Swap):
        address, given = action.token_in, action.amount_in
    elif isinstance(action, WethDeposit | WethWithdraw):
        address, given = action.token, action.amount_wei
    else:
        return
    token = account.token_at.get(address)
    limit = 0 if token is None else token.max_per_trade
    if given > limit:
        yield Violation(
            reason=DenyReason.AMOUNT_TOO_HIGH,
            rule="amount",
            limit=str(limit),
            actual=str(given),
            unit="base units",
        )
