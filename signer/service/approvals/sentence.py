"""One sentence for people about what a transaction does. Amounts and whole addresses, nothing shortened."""

from typing import assert_never

from signer.domain.accounts import address_of
from signer.domain.actions import (
    Action,
    DrainAction,
    Erc20Approve,
    Erc20Transfer,
    NativeTransfer,
    NotUnderstood,
    Swap,
    WethDeposit,
    WethWithdraw,
)
from signer.domain.slots import TransactionKind
from signer.domain.transactions import TransactionId
from signer.service.approvals.assets import Assets, spell


def sentence(
    assets: Assets,
    action: Action | DrainAction | NotUnderstood,
    kind: TransactionKind,
    replaces: TransactionId | None,
) -> str:
    """What happens, in words; of a second transaction of a nonce also which one it stands in for."""
    match kind:
        case TransactionKind.ORIGINAL:
            return _of(assets, action)
        case TransactionKind.REPLACEMENT:
            return f"Higher fee for transaction {replaces}: {_of(assets, action)}"
        case TransactionKind.CANCELLATION:
            return f"Cancel transaction {replaces}: an empty transfer to the account itself takes its nonce"
        case _ as never:
            assert_never(never)


def _of(assets: Assets, action: Action | DrainAction | NotUnderstood) -> str:
    match action:
        case Swap():
            paid = spell(assets.token(action.token_in, action.amount_in))
            back = spell(assets.token(action.token_out, action.minimum_out))
            return f"Swap {paid} for at least {back} at {action.venue} {action.router}"
        case Erc20Approve():
            return _allowance(assets, action)
        case NotUnderstood():
            return f"The policy in force does not understand these bytes: {action.violation.actual}"
        case _:
            return _transfer(assets, action)


def _transfer(assets: Assets, action: NativeTransfer | Erc20Transfer | WethDeposit | WethWithdraw) -> str:
    match action:
        case NativeTransfer():
            return f"Send {spell(assets.native(action.amount_wei))} to {_whom(assets, action.recipient)}"
        case Erc20Transfer():
            sent = spell(assets.token(action.token, action.amount))
            return f"Send {sent} to {_whom(assets, action.recipient)}"
        case WethDeposit():
            token = assets.token(action.token, 0).symbol
            return f"Wrap {spell(assets.native(action.amount_wei))} into {token}"
        case WethWithdraw():
            return f"Unwrap {spell(assets.token(action.token, action.amount_wei))}"
        case _ as never:
            assert_never(never)


def _allowance(assets: Assets, action: Erc20Approve) -> str:
    if action.amount == 0:
        return f"End the allowance of {action.spender} for {assets.token(action.token, 0).symbol}"
    return (
        f"Let {action.spender} take up to {spell(assets.token(action.token, action.amount))} from the account"
    )


def _whom(assets: Assets, recipient: str) -> str:
    return "the account itself" if recipient == address_of(assets.account) else recipient
