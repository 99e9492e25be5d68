"""Refuses to send a token to anybody but an account that the policy lists for a top-up, or without a person.

A top-up moves money from a key that a person guards to one that trades by itself, so nobody but that person
may decide that now is the time. An ERC-20 transfer to anybody else is never allowed.
"""

from collections.abc import Iterator

from signer.domain.accounts import Address
from signer.domain.actions import Erc20Transfer, NativeTransfer
from signer.domain.decisions import Violation
from signer.domain.reasons import DenyReason
from signer.policy.model import AccountPolicy
from signer.policy.proposal import Proposal


def top_up(account: AccountPolicy, proposal: Proposal) -> Iterator[Violation]:
    """Listed recipient, limited amount, a person's confirmation."""
    match proposal.action:
        case Erc20Transfer(token=token, recipient=recipient, amount=amount):
            yield from _top_up(account, proposal, token, recipient, amount)
        # The native coin may also be sent as rule `native` says; what is listed here needs a person.
        case NativeTransfer(recipient=recipient, amount_wei=amount) if account.tops_up(None, recipient):
            yield from _top_up(account, proposal, None, recipient, amount)
        case _:
            return


def _top_up(
    account: AccountPolicy, proposal: Proposal, token: Address | None, recipient: Address, amount: int
) -> Iterator[Violation]:
    listed = account.top_up_at.get((token, recipient))
    if listed is None:
        allowed = sorted(to for asset, to in account.top_up_at if asset == token)
        yield Violation(
            reason=DenyReason.RECIPIENT_NOT_ALLOWED,
            rule="top_up",
            limit=" ".join(allowed) or "no top-up of this token is listed",
            actual=recipient,
            unit="address",
        )
        return
    if amount > listed.max_per_top_up:
        yield Violation(
            reason=DenyReason.AMOUNT_TOO_HIGH,
            rule="top_up",
            limit=str(listed.max_per_top_up),
            actual=str(amount),
            unit="wei" if token is None else "base units",
        )
    if not proposal.attended:
        yield Violation(
            reason=DenyReason.PERSON_NEEDED,
            rule="top_up",
            limit="an account on a device, so that a person confirms",
            actual="a key that signs by itself",
            unit="key",
        )
