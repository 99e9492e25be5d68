"""What a policy must fit: the accounts and people of the settings. Finds what does not; changes nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from signer.domain.accounts import AccountId
from signer.policy.fail_open import Finding
from signer.policy.lines import KeyPath, spell
from signer.policy.model import AccountPolicy, Policy

BROADCAST_NEEDS_S = 5
"""What is kept of a swap's deadline for the transaction to reach a block after a person confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The settings, as far as a policy must fit them.

    `wallets`: the wallet of each account. `approval_timeouts_s`: how long the person before an account's key
    may take; accounts without a person are not in it.
    """

    wallets: Mapping[AccountId, str]
    approval_timeouts_s: Mapping[AccountId, int]


def check_fit(policy: Policy, surroundings: Surroundings) -> tuple[Finding, ...]:
    """Return everything in the policy that cannot work with these settings, or means something else."""
    return tuple(
        Finding(line=policy.lines.of(path), key=spell(path), problem=problem)
        for index, account in enumerate(policy.accounts)
        for below, problem in _account(account, surroundings)
        for path in [("accounts", index, *below)]
    )


def _account(account: AccountPolicy, surroundings: Surroundings) -> Iterator[tuple[KeyPath, str]]:
    yield from _deadline(account, surroundings)
    yield from _top_ups(account, surroundings)


def _top_ups(account: AccountPolicy, surroundings: Surroundings) -> Iterator[tuple[KeyPath, str]]:
    if account.top_ups and account.account not in surroundings.approval_timeouts_s:
        problem = f"{account.account} is on no device in signer.toml, so nobody would confirm one"
        yield ("top_ups", 0), problem
    wallet = surroundings.wallets.get(account.account)
    for index, each in enumerate(account.top_ups):
        other = AccountId(f"{account.chain}:{each.to}")
        if wallet is None or surroundings.wallets.get(other) != wallet:
            problem = f"{other} is no account of the same wallet in signer.toml; only one of those is allowed"
            yield ("top_ups", index, "to"), problem


def _deadline(account: AccountPolicy, surroundings: Surroundings) -> Iterator[tuple[KeyPath, str]]:
    timeout_s = surroundings.approval_timeouts_s.get(account.account)
    if timeout_s is None or not account.routers:
        return
    needed_s = timeout_s + BROADCAST_NEEDS_S
    if needed_s > account.max_deadline_s:
        problem = (
            f"{account.max_deadline_s} s: a person has {timeout_s} s to confirm and a block needs "
            f"{BROADCAST_NEEDS_S} s: at least {needed_s} s are needed, or an approval_timeout_s of at most "
            f"{account.max_deadline_s - BROADCAST_NEEDS_S} in signer.toml"
        )
        yield ("max_deadline_s",), problem
