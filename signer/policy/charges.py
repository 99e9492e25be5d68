"""What one transaction takes from the rolling limits at worst. Never less than it can take."""

from typing import assert_never

from signer.domain.actions import (
    Action,
    Erc20Approve,
    Erc20Transfer,
    NativeTransfer,
    NotUnderstood,
    Swap,
    WethDeposit,
    WethWithdraw,
)
from signer.domain.budget import FEE, NATIVE, TRANSACTIONS, Charge, token_resource, top_up_resource
from signer.domain.transactions import EvmPayload
from signer.policy.model import AccountPolicy

_ONE = Charge(resource=TRANSACTIONS, amount=1)


def charges_of(
    account: AccountPolicy, payload: EvmPayload, action: Action | NotUnderstood
) -> tuple[Charge, ...]:
    """Return the worst case: everything that may leave the account, the whole fee, and one transaction."""
    fee = Charge(resource=FEE, amount=payload.worst_fee_wei)
    match action:
        case Swap():
            return Charge(resource=token_resource(action.token_in), amount=action.amount_in), fee, _ONE
        # A top-up stays within the wallet, and what the other account gives away is counted there. It has a
        # cap of its own, which neither uses up what may be traded nor is hidden by it.
        case NativeTransfer(recipient=recipient, amount_wei=amount) if account.tops_up(None, recipient):
            return Charge(resource=top_up_resource(None, recipient), amount=amount), fee, _ONE
        case Erc20Transfer(token=token, recipient=recipient, amount=amount):
            return Charge(resource=top_up_resource(token, recipient), amount=amount), fee, _ONE
        case NativeTransfer():
            return Charge(resource=NATIVE, amount=action.amount_wei), fee, _ONE
        # An allowance spends nothing: only a swap can use it, and that one is charged. Wrapping and
        # unwrapping leave the value in the account; charging them would count the same coins again when they
        # are sold or sent.
        case Erc20Approve() | WethDeposit() | WethWithdraw() | NotUnderstood():
            return fee, _ONE
        case _ as never:
            assert_never(never)
