"""Refuses what inclusion may cost at worst: fee per gas, tip, gas limit, and their product."""

from collections.abc import Iterator

from signer.domain.decisions import Violation
from signer.domain.reasons import DenyReason
from signer.domain.transactions import EvmPayload
from signer.policy.model import AccountPolicy
from signer.policy.proposal import Proposal

_INTRINSIC_GAS = 21_000
"""Of a transfer without data (yellow paper, appendix G); calldata costs more."""


def fees(account: AccountPolicy, proposal: Proposal) -> Iterator[Violation]:
    """Judge the fees of the proposed payload."""
    return fee_violations(account, proposal.payload)


def fee_violations(account: AccountPolicy, payload: EvmPayload) -> Iterator[Violation]:
    """Judge any payload's fees; replacements and cancellations have to pass here too."""
    limits = account.fees
    fee, tip = payload.max_fee_per_gas_wei, payload.max_priority_fee_per_gas_wei
    if fee > limits.max_fee_per_gas_wei:
        yield _over(DenyReason.GAS_PRICE_TOO_HIGH, "max_fee", limits.max_fee_per_gas_wei, fee)
    # A tip above the fee is invalid by EIP-1559; no node takes it, so its nonce would be stuck.
    if tip > (limit := min(limits.max_priority_fee_per_gas_wei, fee)):
        yield _over(DenyReason.PRIORITY_FEE_TOO_HIGH, "priority_fee", limit, tip)
    # No node takes less than the intrinsic gas of a transfer, so its nonce and budget would be stuck.
    if payload.gas_limit < _INTRINSIC_GAS:
        yield _over(DenyReason.GAS_LIMIT_TOO_LOW, "gas_limit", _INTRINSIC_GAS, payload.gas_limit, "gas")
    if payload.gas_limit > limits.max_gas_limit:
        yield _over(
            DenyReason.GAS_LIMIT_TOO_HIGH, "gas_limit", limits.max_gas_limit, payload.gas_limit, "gas"
        )
    if payload.worst_fee_wei > limits.max_fee_per_transaction_wei:
        yield _over(
            DenyReason.FEE_TOO_HIGH, "total_fee", limits.max_fee_per_transaction_wei, payload.worst_fee_wei
        )


def _over(reason: DenyReason, rule: str, limit: int, actual: int, unit: str = "wei") -> Violation:
    return Violation(reason=reason, rule=rule, limit=str(limit), actual=str(actual), unit=unit)
