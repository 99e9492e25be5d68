"""What the drain of an account in rotation may do: end its allowances, and give everything to its successor.

Derived from the account's own policy, with the fees that an emergency may cost. Nothing here can lose value:
whatever leaves goes to one address, which an operator named. So amounts are not limited; fees are.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from signer.domain.accounts import Address
from signer.domain.actions import DrainAction, Erc20Approve, Erc20Transfer, NativeTransfer, NotUnderstood
from signer.domain.budget import FEE, Charge
from signer.domain.decisions import Approved, Decision, Denied, Violation
from signer.domain.reasons import DenyReason
from signer.domain.transactions import EvmPayload
from signer.policy.limits import limits_on
from signer.policy.model import AccountPolicy, FeePolicy
from signer.policy.replacement import cancellation_under, replacement_under
from signer.policy.rules.fees import fee_violations

TRACE = ("understood", "drain_recipient", "drain_approval", "fees")
"""Names of the rules that judge every transaction of a drain, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainingPolicy:
    """The rules of the old account, with the fees that hold for its drain, and who receives."""

    rules: AccountPolicy
    successor: Address


def draining(rules: AccountPolicy, successor: Address, *, emergency: bool) -> DrainingPolicy:
    """Policy of a drain. In an emergency the policy's `emergency_` fees take the place of the normal ones."""
    fees = _emergency(rules.fees) if emergency else rules.fees
    return DrainingPolicy(rules=replace(rules, fees=fees), successor=successor)


def decide_drain(
    policy: DrainingPolicy, payload: EvmPayload, action: DrainAction | NotUnderstood
) -> Decision:
    """Judge one transaction of a drain. Its fee is charged; the ledger makes sure that it fits."""
    violations = (*_action_violations(policy, action), *fee_violations(policy.rules, payload))
    if violations:
        return Denied(violations=violations, trace=TRACE)
    charges = (Charge(resource=FEE, amount=payload.worst_fee_wei),)
    return Approved(charges=charges, limits=limits_on(policy.rules, charges), trace=TRACE)


def decide_drain_replacement(
    policy: DrainingPolicy, *, newest: EvmPayload, replacement: EvmPayload
) -> Decision:
    """Judge higher fees for a transaction of a drain."""
    return _fees_only(replacement_under(policy.rules, newest, replacement, {}))


def decide_drain_cancellation(
    policy: DrainingPolicy, *, newest: EvmPayload, cancellation: EvmPayload
) -> Decision:
    """Judge the cancellation of a transaction that stands in the way of a drain.

    It may be cheaper than what it cancels: no node has what cannot be paid for, so nothing has to be outbid.
    """
    return _fees_only(cancellation_under(policy.rules, newest, cancellation, {}, must_outbid=False))


def listed_allowances(rules: AccountPolicy) -> tuple[tuple[Address, Address], ...]:
    """Every (token, spender) that may have an allowance: each listed token for each listed router.

    More than the tokens' `spenders`: one that was struck from that list may still hold an old allowance.
    """
    return tuple((token.address, router.address) for token in rules.tokens for router in rules.routers)


def _action_violations(policy: DrainingPolicy, action: DrainAction | NotUnderstood) -> Iterable[Violation]:
    match action:
        case NotUnderstood():
            yield action.violation
        case NativeTransfer():
            yield from _recipient(policy, action.recipient)
        case Erc20Transfer():
            yield from _recipient(policy, action.recipient)
        case Erc20Approve():
            yield from _approval(policy, action)


def _recipient(policy: DrainingPolicy, recipient: Address) -> Iterator[Violation]:
    if recipient != policy.successor:
        yield Violation(
            reason=DenyReason.RECIPIENT_NOT_ALLOWED,
            rule="drain_recipient",
            limit=policy.successor,
            actual=recipient,
            unit="address",
        )


def _approval(policy: DrainingPolicy, action: Erc20Approve) -> Iterator[Violation]:
    if action.amount != 0:
        yield Violation(
            reason=DenyReason.APPROVAL_TOO_HIGH,
            rule="drain_approval",
            limit="0",
            actual=str(action.amount),
            unit="base units",
        )
    if (action.token, action.spender) not in listed_allowances(policy.rules):
        yield Violation(
            reason=DenyReason.SPENDER_NOT_ALLOWED,
            rule="drain_approval",
            limit="a listed router",
            actual=action.spender,
            unit="address",
        )


def _fees_only(decision: Decision) -> Decision:
    """What traders signed within the minute must not hold up a drain, so its rate is not counted."""
    if isinstance(decision, Denied):
        return decision
    return replace(
        decision,
        charges=tuple(charge for charge in decision.charges if charge.resource == FEE),
        limits=tuple(limit for limit in decision.limits if limit.resource == FEE),
    )


def _emergency(fees: FeePolicy) -> FeePolicy:
    def raised(emergency: int | None, normal: int) -> int:
        return normal if emergency is None else emergency

    return replace(
        fees,
        max_fee_per_gas_wei=raised(fees.emergency_max_fee_per_gas_wei, fees.max_fee_per_gas_wei),
        max_priority_fee_per_gas_wei=raised(
            fees.emergency_max_priority_fee_per_gas_wei, fees.max_priority_fee_per_gas_wei
        ),
        max_fee_per_transaction_wei=raised(
            fees.emergency_max_fee_per_transaction_wei, fees.max_fee_per_transaction_wei
        ),
        max_fee_per_day_wei=raised(fees.emergency_max_fee_per_day_wei, fees.max_fee_per_day_wei),
    )
