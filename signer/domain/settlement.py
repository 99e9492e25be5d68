"""What the charges of a nonce become once the chain has decided. Gives budget back only on proof."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from signer.domain.budget import FEE, TRANSACTIONS, Charge
from signer.domain.slots import TransactionKind
from signer.domain.transactions import TransactionId

NonceCharges: TypeAlias = Mapping[TransactionId, tuple[Charge, ...]]
"""Charges of every signed transaction of one nonce."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Winner:
    """The transaction of ours that consumed the nonce, by its final receipt."""

    id: TransactionId
    kind: TransactionKind
    reverted: bool
    fee_paid_wei: int

    @property
    def moved_money(self) -> bool:
        """Whether anything but the fee left the account."""
        return not self.reverted and self.kind is not TransactionKind.CANCELLATION


def settle(charges: NonceCharges, winner: Winner | None) -> NonceCharges:
    """Charges after finality.

    With a winner the fee of the nonce is what its receipt says; amounts stay when it moved money and become 0
    otherwise. Without one somebody else's transaction took the nonce: amounts become 0, the fees stay,
    since that transaction paid some fee from the same account and nobody saw how much. Counts of
    transactions always stay.
    """
    settled = {
        transaction: tuple(
            Charge(resource=charge.resource, amount=_settled_amount(charge, winner)) for charge in rows
        )
        for transaction, rows in charges.items()
    }
    if winner is not None:
        fee = Charge(resource=FEE, amount=winner.fee_paid_wei)
        others = tuple(charge for charge in settled.get(winner.id, ()) if charge.resource != FEE)
        settled[winner.id] = (*others, fee)
    return settled


def _settled_amount(charge: Charge, winner: Winner | None) -> int:
    if charge.resource == TRANSACTIONS:
        return charge.amount
    if charge.resource == FEE:
        return charge.amount if winner is None else 0
    return charge.amount if winner is not None and winner.moved_money else 0
