"""What a drain offers for inclusion, within the policy. Pure arithmetic in wei per gas.

The first offer keeps room below the policy's caps: a replacement has to raise both fees by a tenth.
"""

from dataclasses import dataclass

from signer.domain.transactions import EvmPayload
from signer.policy.model import FeePolicy
from signer.policy.replacement import least_fee_wei


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeLimits:
    """The fees of the policy that hold for this drain."""

    max_fee_per_gas_wei: int
    max_priority_fee_per_gas_wei: int
    max_gas_limit: int
    max_fee_per_transaction_wei: int

    @classmethod
    def of(cls, fees: FeePolicy) -> "FeeLimits":
        """Limits of a draining policy."""
        return cls(
            max_fee_per_gas_wei=fees.max_fee_per_gas_wei,
            max_priority_fee_per_gas_wei=fees.max_priority_fee_per_gas_wei,
            max_gas_limit=fees.max_gas_limit,
            max_fee_per_transaction_wei=fees.max_fee_per_transaction_wei,
        )

    def cap(self, gas: int) -> int:
        """Most per gas for a transaction with this gas limit."""
        return min(self.max_fee_per_gas_wei, self.max_fee_per_transaction_wei // gas)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bid:
    """maxFeePerGas and maxPriorityFeePerGas."""

    max_fee_wei: int
    tip_wei: int

    def within(self, most_wei: int) -> "Bid":
        """This bid, lowered to what can be paid."""
        fee = min(self.max_fee_wei, most_wei)
        return Bid(max_fee_wei=fee, tip_wei=min(self.tip_wei, fee))


def bid(limits: FeeLimits, base_fee_wei: int, *, gas: int, urgent: bool) -> Bid | None:
    """First offer: room for six full blocks, for ten when urgent; None when the chain is above the caps."""
    tip = limits.max_priority_fee_per_gas_wei // (2 if urgent else 4)
    fee = min(limits.cap(gas), base_fee_wei * (3 if urgent else 2) + tip)
    return None if fee <= base_fee_wei else Bid(max_fee_wei=fee, tip_wei=min(tip, fee))


def native_bid(limits: FeeLimits, base_fee_wei: int) -> Bid:
    """Offer for the last of the native coin: little above the base fee, for what is not used stays behind."""
    tip = limits.max_priority_fee_per_gas_wei * 3 // 4
    fee = min(limits.max_fee_per_gas_wei, base_fee_wei * 5 // 4 + tip)
    return Bid(max_fee_wei=fee, tip_wei=min(tip, fee))


def outbid(
    limits: FeeLimits, base_fee_wei: int, newest: EvmPayload, *, gas: int, funds_wei: int | None, urgent: bool
) -> Bid | None:
    """Offer that nodes take instead of `newest`; None when the caps or the funds are below it."""
    wanted = bid(limits, base_fee_wei, gas=gas, urgent=urgent)
    fee, tip = least_fee_wei(newest.max_fee_per_gas_wei), least_fee_wei(newest.max_priority_fee_per_gas_wei)
    if wanted is not None:
        fee, tip = max(fee, wanted.max_fee_wei), max(tip, wanted.tip_wei)
    fee = max(fee, tip)
    if fee > limits.cap(gas) or tip > limits.max_priority_fee_per_gas_wei:
        return None
    if funds_wei is not None and fee * gas > funds_wei:
        return None
    return Bid(max_fee_wei=fee, tip_wei=tip)
