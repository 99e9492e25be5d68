"""What one account would do with a trade of a size now. A forecast: reserves nothing, judges no price."""

from dataclasses import dataclass

from signer.domain.accounts import AccountId, Address, ChainName
from signer.domain.reasons import DenyReason, FailReason
from signer.domain.wallets import Condition
from signer.policy.decide import unlisted_account
from signer.policy.room import Room, room
from signer.ports.clock import Clock
from signer.ports.ledger import Ledger
from signer.service.accounts import Accounts
from signer.service.clients import Client, NotGrantedError
from signer.service.policies import Policies
from signer.service.wallets.readiness import Readiness

SIGN = "SignEvmTransaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a trade gives, base units."""

    token: Address
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What one account would do.

    `reason` and `message` say why it would not sign; both are empty when it would. `max_amount_in`: most that
    one of its trades may give now; 0 when nothing.
    """

    account: AccountId
    would_sign: bool
    reason: str
    message: str
    max_amount_in: int


class Outlook:
    """Foresees."""

    def __init__(
        self, *, accounts: Accounts, readiness: Readiness, policies: Policies, ledger: Ledger, clock: Clock
    ) -> None:
        self._accounts = accounts
        self._readiness = readiness
        self._policies = policies
        self._ledger = ledger
        self._clock = clock

    def members(self, wallet: str, chain: ChainName) -> tuple[AccountId, ...]:
        """Accounts of a wallet on a chain, in its order; those that took over come last."""
        bound = [self._accounts.binding(each).account for each in self._accounts.ids()]
        chosen = [each for each in bound if (each.wallet, each.chain) == (wallet, chain)]
        return tuple(each.id for each in sorted(chosen, key=lambda each: each.wallet_position))

    async def __call__(self, client: Client, account: AccountId, given: Given) -> Choice:
        """Raises UnavailableError while the ledger is away."""
        if not client.may(SIGN, account):
            refused = NotGrantedError(client.name, SIGN, account)
            return _no(account, DenyReason.NOT_GRANTED, str(refused))
        not_ready = await self._readiness.why_not(account)
        if not_ready is not None:
            return _no(account, not_ready.reason, not_ready.message)
        return _choice(account, given, self._condition(account), await self._room(account, given.token))

    def _condition(self, account: AccountId) -> Condition:
        return self._accounts.binding(account).condition

    async def _room(self, account: AccountId, token: Address) -> Room:
        policy = self._policies.current
        rules = policy.account(account)
        if rules is None:
            (violation,) = unlisted_account(policy, account).violations
            text = f"the policy has no table for {account}"
            return Room(most=0, reason=violation.reason, message=text)
        uses = await self._ledger.usage(account, rules.limits, self._clock.now())
        return room(rules, token, {(use.limit.resource, use.limit.window_s): use.used for use in uses})


def _choice(account: AccountId, given: Given, condition: Condition, policy: Room) -> Choice:
    wanted = condition.range_of(given.token)
    most, least = policy.most, 1
    if wanted is not None:
        least = max(least, wanted.at_least)
        most = most if wanted.below is None else min(most, wanted.below - 1)
    reason: DenyReason | FailReason | str = ""
    message = ""
    out_of_range = condition.why_not(given.token, given.amount)
    # When no size would do, the condition is not to blame: another amount would not help.
    if out_of_range is not None and most >= least:
        reason, message = FailReason.WALLET_CONDITION, f"{account} {out_of_range}"
    elif given.amount > policy.most or most < least:
        reason, message = policy.reason, policy.message
    return Choice(
        account=account,
        would_sign=not reason,
        reason=reason,
        message=message,
        max_amount_in=most if most >= least else 0,
    )


def _no(account: AccountId, reason: DenyReason | FailReason, message: str) -> Choice:
    return Choice(account=account, would_sign=False, reason=reason, message=message, max_amount_in=0)
