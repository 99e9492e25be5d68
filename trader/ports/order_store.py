"""Orders, funds and approvals as a port. Every method is one database transaction with all of its effects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from trader.domain.ids import Address, AssetId, IdempotencyKey, OrderId, StrategyName, WalletId
from trader.domain.orders import Order, OrderKind, OrderState
from trader.domain.quotes import Fill, Quote, TransactionDraft
from trader.domain.time import UnixMs
from trader.ports.move_store import MoveStore


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """An intent. `id` is made by the caller, so that creating it twice is one order.

    `wallet_group`, `follows` and `recipient` are those of the order.
    """

    id: OrderId
    kind: OrderKind
    wallet: WalletId
    strategy: StrategyName
    venue: str
    asset_in: AssetId
    asset_out: AssetId
    amount_in: int
    max_slippage_bps: int
    live: bool
    created_at: UnixMs
    expires_at: UnixMs
    parent: OrderId | None = None
    spender: Address | None = None
    wallet_group: str | None = None
    follows: OrderId | None = None
    recipient: WalletId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioLimits:
    """What a reservation must keep, over all accounts of a wallet.

    Amounts are base units of the asset; a missing asset has no position limit.
    """

    max_position: Mapping[AssetId, int]
    cooldown_ms: int


class ReserveRefusal(StrEnum):
    """Why funds could not be reserved. Stable codes."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    INSUFFICIENT_NATIVE_FOR_FEE = "insufficient_native_for_fee"
    POSITION_LIMIT = "position_limit"
    COOLDOWN = "cooldown"
    WALLET_HALTED = "wallet_halted"
    WALLET_DRAINING = "wallet_draining"
    TOP_UP_WAITS = "top_up_waits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to advance one order until `lease_until`; `order.fence` is its fencing token."""

    order: Order
    owner: str
    lease_until: UnixMs


class ApprovalState(StrEnum):
    """Life of an allowance: asked for, seen by `allowance()` on the chain, used by its swap, or given up."""

    REQUESTED = "requested"
    USABLE = "usable"
    CONSUMED = "consumed"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """An exact allowance for one swap. At most one per wallet, token and spender is REQUESTED or USABLE."""

    wallet: WalletId
    token: Address
    spender: Address
    amount: int
    swap: OrderId
    order: OrderId
    state: ApprovalState


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Funds of one asset, base units. `free` can be reserved; `reserved` is promised to open orders."""

    wallet: WalletId
    asset: AssetId
    free: int
    reserved: int


class OrderStore(MoveStore, Protocol):
    """Every method raises StoreUnavailableError.

    Those that take a claim raise LeaseLostError when it is not ours any more.
    """

    async def create(self, order: NewOrder) -> Order:
        """Write the intent; the same id again returns the order as it is."""
        ...

    async def open_reserved(
        self,
        order: NewOrder,
        quote: Quote,
        draft: TransactionDraft,
        limits: PortfolioLimits,
        *,
        owner: str,
        now: UnixMs,
        lease_ms: int,
    ) -> Claim | ReserveRefusal:
        """Create, quote and reserve in one transaction, with all three events; a refusal writes nothing.

        Held by `owner` for `lease_ms`; with 0 whoever claims first has it. Raises LeaseLostError when there
        is an order of that id already.
        """
        ...

    async def get(self, order: OrderId) -> Order | None:
        """Order by id."""
        ...

    async def orders(self, *, open_only: bool, limit: int) -> Sequence[Order]:
        """Orders, newest first."""
        ...

    async def claim(self, owner: str, now: UnixMs, lease_ms: int, limit: int) -> Sequence[Claim]:
        """Take open orders that are due and that nobody holds (FOR UPDATE SKIP LOCKED).

        Raises each order's fence by one.
        """
        ...

    async def renew(self, claim: Claim, now: UnixMs, lease_ms: int) -> Claim:
        """Hold the order longer."""
        ...

    async def let_go(self, claim: Claim, due_at: UnixMs) -> None:
        """Give the order back, to be claimed again from `due_at` on."""
        ...

    async def wake(self, order: OrderId, now: UnixMs) -> None:
        """What an open order waited for has come: it is due now, not at the time it was given back for."""
        ...

    async def quoted(self, claim: Claim, quote: Quote, draft: TransactionDraft, now: UnixMs) -> Claim:
        """QUOTE_MADE: the quote and the unsigned transaction."""
        ...

    async def reserve(self, claim: Claim, limits: PortfolioLimits, now: UnixMs) -> Claim | ReserveRefusal:
        """FUNDS_RESERVED.

        Amount in and worst fee move from free to reserved, guarded; or say which guard refuses.
        """
        ...

    async def ask_signature(
        self, claim: Claim, key: IdempotencyKey, draft: TransactionDraft, now: UnixMs
    ) -> Claim:
        """SIGNATURE_ASKED: the key is durable before the signer hears of it.

        Raises FundsShortError, and writes nothing, when `draft` is dearer than the reserve and has no cover.
        """
        ...

    async def signed(
        self, claim: Claim, transaction_id: str, nonce: int, transaction_hash: str, now: UnixMs
    ) -> Claim:
        """SIGNATURE_RECEIVED."""
        ...

    async def broadcast(self, claim: Claim, now: UnixMs) -> Claim:
        """NODE_ACCEPTED."""
        ...

    async def outcome_lost(self, claim: Claim, reason: str, now: UnixMs) -> Claim:
        """OUTCOME_LOST: UNKNOWN until proof."""
        ...

    async def mined(self, claim: Claim, fill: Fill, now: UnixMs) -> Claim:
        """RECEIPT_SEEN: nothing is booked yet."""
        ...

    async def reorganised(self, claim: Claim, now: UnixMs) -> Claim:
        """REORGANISED_AWAY."""
        ...

    async def settle(self, claim: Claim, fill: Fill, now: UnixMs) -> Order:
        """FINAL_SUCCESS or FINAL_REVERT by `fill.reverted`.

        Books cash, position and ledger, returns what was not used. Raises FundsShortError when the chain took
        more than the books hold.
        """
        ...

    async def drop(self, claim: Claim, reason: str, fee_paid_wei: int, now: UnixMs) -> Order:
        """NONCE_CONSUMED.

        Returns the reservation; `fee_paid_wei` is what our own cancellation cost (0 if none).
        """
        ...

    async def deny(self, claim: Claim, reason: str, now: UnixMs) -> Order:
        """DENIED: returns what was reserved."""
        ...

    async def give_up(self, claim: Claim, reason: str, now: UnixMs) -> Order:
        """GAVE_UP: returns what was reserved."""
        ...

    async def withdraw(self, claim: Claim, reason: str, now: UnixMs) -> Order:
        """WITHDRAWN: the signer says that nothing was signed. Returns what was reserved."""
        ...

    async def note_waiting(self, key: IdempotencyKey, waiting: str | None) -> OrderId | None:
        """Write beside the open order of a key, or of its replacement, how far a person is; its id."""
        ...

    async def hand_over(self, claim: Claim, reason: str, following: NewOrder, now: UnixMs) -> Order:
        """The order ends unsigned, DENIED or GAVE_UP, and the one that follows it begins; or neither."""
        ...

    async def line_of(self, order: OrderId) -> Sequence[Order]:
        """The order, the one that it follows, and so on, newest first."""
        ...

    async def group_wallets(self, group: str, wallets: Sequence[WalletId]) -> None:
        """Let exactly these wallets, and whoever takes over from them, share limits under this name."""
        ...

    async def open_top_up(
        self, order: NewOrder, quote: Quote, draft: TransactionDraft, *, quiet_since: UnixMs, now: UnixMs
    ) -> Claim | ReserveRefusal:
        """Create, quote and reserve a top-up in one transaction; a refusal writes nothing.

        TOP_UP_WAITS when one of the same wallets and asset is open, or (a dry run for a dry run) ended
        after `quiet_since`. Neither of the two wallets may be halted or draining.
        """
        ...

    async def open_approval(
        self,
        claim: Claim,
        order: NewOrder,
        quote: Quote,
        draft: TransactionDraft,
        limits: PortfolioLimits,
        *,
        now: UnixMs,
        lease_ms: int,
    ) -> Claim | ReserveRefusal | None:
        """Open the approval of the swap that this claim holds, reserved and held by the claim's owner.

        None while another swap of the wallet holds this token and spender. Only a Claim means that something
        was written.
        """
        ...

    async def approval_of(self, swap: OrderId) -> Approval | None:
        """The newest approval of a swap."""
        ...

    async def approval_usable(self, claim: Claim, now: UnixMs) -> None:
        """`allowance()` on the chain was seen to be enough for the swap that this claim holds."""
        ...

    async def open_wallet(
        self, wallet: WalletId, balances: Mapping[AssetId, int], block_number: int, now: UnixMs
    ) -> bool:
        """Book the chain's balances as opening entries; False when the wallet was opened before."""
        ...

    async def balances(self, wallet: WalletId) -> Sequence[Balance]:
        """Funds by asset."""
        ...

    async def states(self) -> Mapping[OrderState, int]:
        """How many orders stand where."""
        ...

    async def halt_wallet(self, wallet: WalletId, reason: str, now: UnixMs) -> None:
        """Stop new reservations of one wallet, for example because its books drifted from the chain."""
        ...

    async def release_wallet(self, wallet: WalletId, now: UnixMs) -> None:
        """Let the wallet reserve again."""
        ...
