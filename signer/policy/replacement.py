"""A second transaction for one nonce: a replacement at higher fees or a cancellation. Refuses any other.

The trade was judged when it was first signed, and that signature is out: refusing the same trade again would
not call it back. What a replacement adds is cost, so cost is what is judged and charged, on top of what the
nonce already holds.
"""

from collections.abc import Iterator

from signer.domain.accounts import AccountId, Address
from signer.domain.budget import FEE, TRANSACTIONS, Charge, Usage, excesses
from signer.domain.decisions import Approved, Decision, Denied, Violation
from signer.domain.reasons import DenyReason
from signer.domain.transactions import EvmPayload
from signer.policy.decide import unlisted_account
from signer.policy.excess import excess_violations
from signer.policy.limits import limits_on
from signer.policy.model import AccountPolicy, Policy
from signer.policy.rules.fees import fee_violations

CANCELLATION_GAS = 21_000
"""Intrinsic gas of an empty transfer (yellow paper, appendix G)."""

_BUMP_PERCENT = 10  # geth's txpool.pricebump; other clients follow it

TRACE = ("account", "replacement", "fees", "rolling")
"""Names of the rules that judge every second transaction, in order."""


def replacement_of(
    payload: EvmPayload, max_fee_per_gas_wei: int, max_priority_fee_per_gas_wei: int
) -> EvmPayload:
    """Return the same payload at other fees."""
    return EvmPayload(
        to=payload.to,
        value_wei=payload.value_wei,
        data=payload.data,
        gas_limit=payload.gas_limit,
        max_fee_per_gas_wei=max_fee_per_gas_wei,
        max_priority_fee_per_gas_wei=max_priority_fee_per_gas_wei,
    )


def cancellation_of(
    address: Address, max_fee_per_gas_wei: int, max_priority_fee_per_gas_wei: int
) -> EvmPayload:
    """Return a transfer of nothing to oneself, which uses the nonce up."""
    return EvmPayload(
        to=address,
        value_wei=0,
        data=b"",
        gas_limit=CANCELLATION_GAS,
        max_fee_per_gas_wei=max_fee_per_gas_wei,
        max_priority_fee_per_gas_wei=max_priority_fee_per_gas_wei,
    )


def decide_replacement(
    policy: Policy, account: AccountId, *, newest: EvmPayload, replacement: EvmPayload, usage: Usage
) -> Decision:
    """Judge a replacement of the newest payload signed for a nonce. Charges come on top of what it holds."""
    listed = policy.account(account)
    if listed is None:
        return unlisted_account(policy, account)
    return replacement_under(listed, newest, replacement, usage)


def decide_cancellation(
    policy: Policy, account: AccountId, *, newest: EvmPayload, cancellation: EvmPayload, usage: Usage
) -> Decision:
    """Judge a cancellation of the newest payload signed for a nonce. Charges come on top of what it holds."""
    listed = policy.account(account)
    if listed is None:
        return unlisted_account(policy, account)
    return cancellation_under(listed, newest, cancellation, usage)


def replacement_under(
    account: AccountPolicy, newest: EvmPayload, replacement: EvmPayload, usage: Usage
) -> Decision:
    """Judge a replacement by the rules of one account."""
    expected = replacement_of(
        newest, replacement.max_fee_per_gas_wei, replacement.max_priority_fee_per_gas_wei
    )
    return _decide(account, newest, replacement, expected, usage)


def cancellation_under(
    account: AccountPolicy,
    newest: EvmPayload,
    cancellation: EvmPayload,
    usage: Usage,
    *,
    must_outbid: bool = True,
) -> Decision:
    """Judge a cancellation by the rules of one account."""
    expected = cancellation_of(
        account.address, cancellation.max_fee_per_gas_wei, cancellation.max_priority_fee_per_gas_wei
    )
    return _decide(account, newest, cancellation, expected, usage, must_outbid=must_outbid)


def least_fee_wei(fee_per_gas_wei: int) -> int:
    """Least fee per gas that nodes take instead of the given one: 10 % more, rounded up, at least 1 wei."""
    return max(fee_per_gas_wei + 1, -(-fee_per_gas_wei * (100 + _BUMP_PERCENT) // 100))


def _decide(
    account: AccountPolicy,
    newest: EvmPayload,
    payload: EvmPayload,
    expected: EvmPayload,
    usage: Usage,
    *,
    must_outbid: bool = True,
) -> Decision:
    charges = _charges(newest, payload)
    limits = limits_on(account, charges)
    violations = (
        *_changed(payload, expected),
        *(_underpriced(newest, payload) if must_outbid else ()),
        *fee_violations(account, payload),
        *excess_violations(excesses(limits, charges, usage)),
    )
    if violations:
        return Denied(violations=violations, trace=TRACE)
    return Approved(charges=charges, limits=limits, trace=TRACE)


def _charges(newest: EvmPayload, payload: EvmPayload) -> tuple[Charge, ...]:
    # Only one transaction of a nonce is ever included, so only the difference comes on top, and never less
    # than 0.
    more = max(0, payload.worst_fee_wei - newest.worst_fee_wei)
    return Charge(resource=FEE, amount=more), Charge(resource=TRANSACTIONS, amount=1)


def _changed(payload: EvmPayload, expected: EvmPayload) -> Iterator[Violation]:
    if payload != expected:
        yield Violation(
            reason=DenyReason.NOT_REPLACEABLE,
            rule="replacement",
            limit=f"the same transaction, or an empty transfer to oneself with {CANCELLATION_GAS} gas",
            actual="another transaction",
            unit="payload",
        )


def _underpriced(newest: EvmPayload, payload: EvmPayload) -> Iterator[Violation]:
    fields = (
        ("max_fee", newest.max_fee_per_gas_wei, payload.max_fee_per_gas_wei),
        ("priority_fee", newest.max_priority_fee_per_gas_wei, payload.max_priority_fee_per_gas_wei),
    )
    for name, before, after in fields:
        least = least_fee_wei(before)
        if after < least:
            yield Violation(
                reason=DenyReason.REPLACEMENT_UNDERPRICED,
                rule=f"replacement_{name}",
                limit=str(least),
                actual=str(after),
                unit="wei",
            )
