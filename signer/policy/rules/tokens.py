"""Refuses tokens that are not listed, on any hop, and tokens listed for the other direction only.

An unlisted token in the middle of a route is as good as one at its end: whoever made it controls its pools.
"""

from collections.abc import Iterator

from signer.domain.accounts import Address
from signer.domain.actions import Swap, WethDeposit, WethWithdraw
from signer.domain.decisions import Violation
from signer.domain.reasons import DenyReason
from signer.policy.model import AccountPolicy
from signer.policy.proposal import Proposal


def tokens(account: AccountPolicy, proposal: Proposal) -> Iterator[Violation]:
    """Every token is listed, the first may be sold, the last may be bought, none comes twice."""
    action = proposal.action
    if isinstance(action, Swap):
        yield from _listed(account, action)
        yield from _sellable(account, action.token_in)
        yield from _buyable(account, action.token_out)
    elif isinstance(action, WethWithdraw):
        yield from _sellable(account, action.token)
    elif isinstance(action, WethDeposit):
        yield from _buyable(account, action.token)


def _listed(account: AccountPolicy, swap: Swap) -> Iterator[Violation]:
    for token in swap.path:
        if token not in account.token_at:
            yield _violation("a token listed in the policy", token)
    # A route through the same token twice only pays fees, again and again.
    if len(set(swap.path)) != len(swap.path):
        yield _violation("every token once", " ".join(swap.path))


def _sellable(account: AccountPolicy, token: Address) -> Iterator[Violation]:
    listed = account.token_at.get(token)
    if listed is not None and not listed.sell:
        yield _violation("a token with sell = true", token)


def _buyable(account: AccountPolicy, token: Address) -> Iterator[Violation]:
    listed = account.token_at.get(token)
    if listed is not None and not listed.buy:
        yield _violation("a token with buy = true", token)


def _violation(limit: str, actual: str) -> Violation:
    return Violation(
        reason=DenyReason.TOKEN_NOT_ALLOWED, rule="tokens", limit=limit, actual=actual, unit="address"
    )
