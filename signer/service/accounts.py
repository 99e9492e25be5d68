"""The accounts that this signer serves, and whether each signs now.

A pause takes effect before it is answered.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from signer.domain.accounts import Account, AccountId, AccountState, evm_chain_id
from signer.domain.errors import BrokenError, NotFoundError, PreconditionError
from signer.domain.reasons import FailReason
from signer.domain.rotation import SIGNS_FOR, AccountEvent, Use, advance_account
from signer.domain.wallets import ALWAYS, Condition
from signer.ports.broadcaster import Broadcaster
from signer.ports.chain_view import ChainView
from signer.ports.clock import Clock
from signer.ports.holdings import Holdings
from signer.ports.key_backend import AttendedBackend, KeyBackend, person_before
from signer.ports.ledger import AccountStatus, Ledger
from signer.ports.price_reference import PriceReference

_CHANGES_KEPT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """An account with everything that signing for it needs; what only a rotation needs may be missing.

    `condition` says when it is its turn in its wallet.
    """

    account: Account
    backend: KeyBackend
    chain: ChainView
    references: tuple[PriceReference, ...]
    holdings: Holdings | None = None
    broadcaster: Broadcaster | None = None
    condition: Condition = ALWAYS
    device: AttendedBackend | None = field(init=False)
    """The backend again, when a person stands before it: asked once, since looking at a protocol is slow."""

    def __post_init__(self) -> None:
        """See whether somebody confirms. Raises TypeError for a device that is not one wholly."""
        object.__setattr__(self, "device", person_before(self.backend))


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """An account as a client sees it.

    `reason`: why it is paused or its drain is held. `swept`: only dust is left, and that is final.
    `condition`: when it is its turn in its wallet, for people. `approval_timeout_ms`: how long a person may
    take for each of its signatures; None when nobody confirms them.
    """

    account: Account
    state: AccountState
    reason: str
    successor: AccountId | None = None
    swept: bool = False
    condition: str = ""
    approval_timeout_ms: int | None = None


class Accounts:
    """Directory of accounts. The ledger is the truth about their state; a copy here answers without I/O."""

    def __init__(self, *, bindings: Iterable[Binding], ledger: Ledger, clock: Clock) -> None:
        self._bindings = {binding.account.id: binding for binding in bindings}
        self._ledger = ledger
        self._clock = clock
        self._states: dict[AccountId, tuple[AccountState, str]] = {}
        self._opened: set[AccountId] = set()
        self._opening = asyncio.Lock()
        self._subscribers: set[asyncio.Queue[AccountView]] = set()
        self._successors: dict[AccountId, AccountId] = {}
        self._swept: set[AccountId] = set()

    def ids(self) -> tuple[AccountId, ...]:
        """Every account, in the order of the settings, then those that took over."""
        return tuple(self._bindings)

    def chosen(self, account: AccountId | None) -> tuple[AccountId, ...]:
        """The one account, or all but the retired for None. Raises NotFoundError."""
        if account is not None:
            return (self.binding(account).account.id,)
        return tuple(each for each in self.ids() if self.state(each) is not AccountState.RETIRED)

    def state(self, account: AccountId) -> AccountState | None:
        """State of the account; None until its chain has been seen."""
        known = self._states.get(account)
        return None if known is None else known[0]

    def signs(self, account: AccountId) -> bool:
        """Whether the account trades now."""
        known = self._states.get(account)
        return known is not None and known[0] is AccountState.ACTIVE

    def binding(self, account: AccountId) -> Binding:
        """Everything about one account. Raises NotFoundError."""
        try:
            return self._bindings[account]
        except KeyError:
            raise NotFoundError(f"{account} is not an account of this signer") from None

    def view(self, account: AccountId) -> AccountView:
        """State of one account; one that could not be opened yet counts as paused."""
        state, reason = self._states.get(account, (AccountState.PAUSED, "its chain has not been seen yet"))
        binding = self.binding(account)
        device = binding.device
        return AccountView(
            account=binding.account,
            state=state,
            reason=reason,
            successor=self._successors.get(account),
            swept=account in self._swept,
            condition=binding.condition.describe(attended=device is not None),
            approval_timeout_ms=None if device is None else device.approval_timeout_ms,
        )

    def adopt(self, binding: Binding) -> None:
        """Serve an account that took over from another one; one that is served already stays as it is."""
        self._bindings.setdefault(binding.account.id, binding)

    def set_successor(self, account: AccountId, successor: AccountId | None) -> None:
        """Let clients know who takes over."""
        if successor is None:
            self._successors.pop(account, None)
            self._swept.discard(account)
        else:
            self._successors[account] = successor

    def set_swept(self, account: AccountId, *, swept: bool) -> None:
        """Let clients know whether anything but dust is left."""
        if swept == (account in self._swept):
            return
        (self._swept.add if swept else self._swept.discard)(account)
        self._tell(account)

    async def refresh(self, account: AccountId) -> None:
        """Take over what the ledger says of the account, after a step of a rotation."""
        status = await self._ledger.account(account)
        if status is not None:
            self._opened.add(account)
            self._remember(account, status.state, status.reason)
            self._tell(account)

    async def ensure_open(self, account: AccountId) -> None:
        """Begin the account's nonces at the chain's count, once.

        Raises UnavailableError while its node is away.
        """
        if account in self._opened:
            return
        self.binding(account)
        async with self._opening:
            if account in self._opened:
                return
            status = await self._ledger.account(account) or await self._open(account)
            paused_before = self._states.get(account)
            if paused_before is None:
                self._remember(account, status.state, status.reason)
            else:
                await self._ledger.pause(account, paused_before[1], self._clock.now())
            self._opened.add(account)

    def require_signing(self, account: AccountId, use: Use = Use.TRADE) -> None:
        """Raise PreconditionError unless the account signs for this use now."""
        known = self._states.get(account)
        if known is None or known[1] or known[0] not in SIGNS_FOR[use]:
            view = self.view(account)
            raise not_signing(account, view.state, view.reason, view.successor)

    async def pause(self, account: AccountId, reason: str) -> None:
        """Stop signing for the account, at once here and durably in the ledger.

        Raises UnavailableError for an account whose chain has not been seen yet: it is paused here, and
        durably once the chain is seen, but not over a restart before that.
        """
        self.binding(account)
        before = self.state(account) or AccountState.ACTIVE
        self._remember(account, advance_account(account, before, AccountEvent.PAUSE), reason)
        await self.ensure_open(account)
        await self._ledger.pause(account, reason, self._clock.now())

    async def resume(self, account: AccountId) -> None:
        """Let the account sign again; a draining one goes on draining."""
        self.binding(account)
        await self.ensure_open(account)
        await self._ledger.resume(account, self._clock.now())
        before = self.state(account) or AccountState.PAUSED
        self._remember(account, advance_account(account, before, AccountEvent.RESUME), "")

    @asynccontextmanager
    async def changes(self) -> AsyncIterator["asyncio.Queue[AccountView]"]:
        """Queue of the accounts whose state changes from now on; the oldest is dropped when nobody reads."""
        queue: asyncio.Queue[AccountView] = asyncio.Queue(maxsize=_CHANGES_KEPT)
        self._subscribers.add(queue)
        try:
            yield queue
        finally:
            self._subscribers.discard(queue)

    async def _open(self, account: AccountId) -> AccountStatus:
        binding = self.binding(account)
        expected = evm_chain_id(binding.account.chain)
        if (actual := await binding.chain.chain_id()) != expected:
            raise BrokenError(FailReason.BROKEN, f"node of {account} is on chain {actual}, not on {expected}")
        head = await binding.chain.head()
        count = await binding.chain.transaction_count(binding.account.address, head.number)
        return await self._ledger.open_account(account, count, self._clock.now())

    def _remember(self, account: AccountId, state: AccountState, reason: str) -> None:
        changed = self._states.get(account) != (state, reason)
        self._states[account] = (state, reason)
        if changed:
            self._tell(account)

    def _tell(self, account: AccountId) -> None:
        view = self.view(account)
        for queue in self._subscribers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(view)


def not_signing(
    account: AccountId, state: AccountState, reason: str, successor: AccountId | None = None
) -> PreconditionError:
    """Why an account does not sign, and what to do about it."""
    if state is AccountState.RETIRED:
        return PreconditionError(FailReason.ACCOUNT_RETIRED, f"{account} is retired and signs never again")
    if state is AccountState.DRAINING:
        held = f" (its drain is held: {reason})" if reason else ""
        heir = successor or "the account that ListAccounts names as its successor"
        return PreconditionError(
            FailReason.ACCOUNT_DRAINING, f"{account} is being rotated out{held}: trade with {heir}"
        )
    return PreconditionError(FailReason.ACCOUNT_PAUSED, f"{account} is {state}: {reason}")
