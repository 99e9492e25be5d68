"""The policy of accounts that took over from others: what the old one may do, under the new address.

The file always wins: an account that it lists is judged by its own table.
"""

from collections.abc import Iterable
from dataclasses import replace

from signer.domain.accounts import AccountId
from signer.policy.model import AccountPolicy, Policy


def with_successors(policy: Policy, successions: Iterable[tuple[AccountId, AccountId]]) -> Policy:
    """`policy` with a table for every account that took over, in the order (old, new) of the successions."""
    for old, new in successions:
        inherited = policy.account(old)
        if inherited is not None and policy.account(new) is None:
            policy = replace(policy, accounts=(*policy.accounts, replace(inherited, account=new)))
    return policy


def rules_of_old(policy: Policy, old: AccountId, new: AccountId) -> AccountPolicy | None:
    """Rules of an account that drains; its successor's when only that one is left in the file."""
    listed = policy.account(old)
    if listed is not None:
        return listed
    successor = policy.account(new)
    return None if successor is None else replace(successor, account=old)
