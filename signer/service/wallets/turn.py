"""Whether it is an account's turn. Refuses before anything is reserved and anybody is bothered.

Only for new transactions: a replacement or a cancellation belongs to the account whose nonce it takes.
"""

from typing import TypeAlias

from signer.domain.accounts import AccountId, chain_of
from signer.domain.actions import (
    Action,
    Erc20Approve,
    Erc20Transfer,
    NativeTransfer,
    NotUnderstood,
    Swap,
)
from signer.domain.decisions import Approved, Decision
from signer.domain.errors import PreconditionError
from signer.domain.reasons import FailReason
from signer.domain.wallets import ALWAYS
from signer.service.accounts import Accounts
from signer.service.wallets.outlook import Outlook
from signer.service.wallets.readiness import Readiness

Understood: TypeAlias = Action | NotUnderstood


class Turn:
    """Refuses out of turn."""

    def __init__(self, *, accounts: Accounts, readiness: Readiness, outlook: Outlook) -> None:
        self._accounts = accounts
        self._readiness = readiness
        self._outlook = outlook

    async def require_device(self, account: AccountId) -> None:
        """Raise what the account's device would, if another account of the wallet could sign meanwhile.

        Without another one, requests wait for the device as they always do: a person may well be on the way
        to it, and some devices ask for their PIN themselves.
        """
        binding = self._accounts.binding(account)
        if binding.device is None or len(self._wallet_of(account)) == 1:
            return
        problem = await self._readiness.device_of(account)
        if problem is not None:
            raise problem.error()

    def require(self, account: AccountId, action: Understood, decision: Decision) -> None:
        """Raise PreconditionError (WALLET_CONDITION) out of hours or range. Revoking is never out of turn.

        What the policy denies is told as a denial, unless another account of the wallet is to be named.
        """
        if isinstance(decision, Approved):
            self.require_recipient(account, action)
        condition = self._accounts.binding(account).condition
        if condition is ALWAYS or (isinstance(action, Erc20Approve) and action.amount == 0):
            return
        late = self._readiness.out_of_hours(account)
        if late is not None:
            raise late.error()
        # An allowance gives nothing: the swap that uses it does, and that one is asked for by itself.
        why = condition.why_not(action.token_in, action.amount_in) if isinstance(action, Swap) else None
        if why is not None:
            text = f"{account} {why}: ask ChooseAccount which account would"
            raise PreconditionError(FailReason.WALLET_CONDITION, text)

    def require_recipient(self, account: AccountId, action: Understood) -> None:
        """Raise PreconditionError for money to an account of ours that does not trade.

        A retired one would keep it for ever, and the key of a paused one may be in other hands.
        """
        if not isinstance(action, NativeTransfer | Erc20Transfer):
            return
        recipient = AccountId(f"{chain_of(account)}:{action.recipient}")
        if recipient in self._accounts.ids() and not self._accounts.signs(recipient):
            view = self._accounts.view(recipient)
            why = f": {view.reason}" if view.reason else ""
            text = f"{recipient}, which would receive this, is {view.state}{why}"
            raise PreconditionError(FailReason.WALLET_CONDITION, text)

    def _wallet_of(self, account: AccountId) -> tuple[AccountId, ...]:
        return self._outlook.members(self._accounts.binding(account).account.wallet, chain_of(account))
