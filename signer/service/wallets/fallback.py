"""When an account cannot sign, its error names the account of its wallet that would. Never asks that one.

Named is only who stands after it in the wallet, may be asked by the client, and would sign now: for a trade,
as much of the token or less. A person's no, a denial and what is no account's own fault name nobody.
"""

from collections.abc import Awaitable
from typing import TypeVar

from signer.domain.accounts import AccountId, chain_of
from signer.domain.actions import Action, Erc20Approve, NotUnderstood, Swap, WethDeposit, WethWithdraw
from signer.domain.errors import PreconditionError, SignerError, UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.transactions import EvmPayload
from signer.domain.wallets import NextAccount
from signer.service.accounts import Accounts
from signer.service.clients import Client
from signer.service.path.understand import understand
from signer.service.policies import Policies
from signer.service.wallets.outlook import Given, Outlook
from signer.service.wallets.readiness import Readiness

T = TypeVar("T")

OWN_TROUBLE = frozenset(
    {
        FailReason.ACCOUNT_PAUSED,
        FailReason.ACCOUNT_RETIRED,
        FailReason.ACCOUNT_DRAINING,
        FailReason.WALLET_CONDITION,
        FailReason.DEVICE_WAITING,
        FailReason.DEVICE_LOCKED,
        FailReason.DEVICE_WRONG_APP,
        FailReason.DEVICE_BLIND_SIGNING_OFF,
        FailReason.DEVICE_NOT_PAIRED,
        FailReason.DEVICE_FIRMWARE_TOO_OLD,
        FailReason.DEVICE_REFUSES,
        FailReason.DEVICE_OUTCOME_UNKNOWN,
        FailReason.DEVICE_GONE,
        FailReason.DEVICE_BUSY,
        FailReason.KEY_BACKEND_UNREACHABLE,
        FailReason.VAULT_UNREACHABLE,
        FailReason.VAULT_SLOW,
        FailReason.VAULT_SEALED,
        FailReason.VAULT_STANDBY,
        FailReason.VAULT_RATE_LIMITED,
        FailReason.VAULT_FAULTY,
        FailReason.VAULT_FORBIDDEN,
        FailReason.VAULT_LOGGED_OUT,
    }
)
"""Reasons of one account and its key. Another account has the same node, ledger, audit trail and process."""


class Fallback:
    """Names the next account in errors."""

    def __init__(
        self, *, accounts: Accounts, policies: Policies, readiness: Readiness, outlook: Outlook
    ) -> None:
        self._accounts = accounts
        self._policies = policies
        self._readiness = readiness
        self._outlook = outlook

    async def naming(
        self, client: Client, method: str, account: AccountId, payload: EvmPayload, answer: Awaitable[T]
    ) -> T:
        """Return `answer`; its errors say which account to ask instead. Only an error costs the look-up."""
        try:
            return await answer
        except (PreconditionError, UnavailableError) as error:
            named = None
            if error.reason in OWN_TROUBLE:
                named = await self._next(client, method, account, payload)
            if named is None:
                raise
            # A new one: several requests may have ended with this very error.
            raise type(error)(error.reason, str(error), named) from error

    async def _next(
        self, client: Client, method: str, account: AccountId, payload: EvmPayload
    ) -> NextAccount | None:
        try:
            action = understand(self._policies.current, account, payload)
            if isinstance(action, WethDeposit | WethWithdraw):
                return await self._next_ready(client, method, account)
            given = _given_by(action)
            return None if given is None else await self._next_for(client, method, account, given)
        except SignerError:  # naming another account is a courtesy: the first error is what counts
            return None

    async def _next_for(
        self, client: Client, method: str, account: AccountId, given: Given
    ) -> NextAccount | None:
        for other in self._after(client, method, account):
            choice = await self._outlook(client, other, given)
            if choice.would_sign or 0 < choice.max_amount_in < given.amount:
                return NextAccount(account=other, max_amount_in=choice.max_amount_in)
        return None

    async def _next_ready(self, client: Client, method: str, account: AccountId) -> NextAccount | None:
        for other in self._after(client, method, account):
            if await self._readiness.why_not(other) is None:
                return NextAccount(account=other, max_amount_in=None)
        return None

    def _after(self, client: Client, method: str, account: AccountId) -> tuple[AccountId, ...]:
        members = self._outlook.members(self._accounts.binding(account).account.wallet, chain_of(account))
        behind = members[members.index(account) + 1 :]
        return tuple(each for each in behind if client.may(method, each))


def _given_by(action: Action | NotUnderstood) -> Given | None:
    """What a trade gives, or is allowed to give next; None for what only this account can do.

    Revoking an allowance is, and so is paying somebody.
    """
    match action:
        case Swap():
            return Given(token=action.token_in, amount=action.amount_in)
        case Erc20Approve(amount=amount) if amount > 0:
            return Given(token=action.token, amount=amount)
        case _:
            return None
