"""Life cycle of an order, as one table, and the order itself. Every change of state goes through `advance`.

An order is one transaction that the wallet shall send: a swap, the approval that a swap needs first, or a
top-up of another wallet of ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from trader.domain.ids import Address, AssetId, IdempotencyKey, OrderId, StrategyName, WalletId
from trader.domain.quotes import Quote, TransactionDraft
from trader.domain.time import UnixMs


class OrderKind(StrEnum):
    """What the transaction is for."""

    SWAP = "swap"
    APPROVAL = "approval"
    TOP_UP = "top_up"


class OrderState(StrEnum):
    """Where an order stands. UNKNOWN is a state, not an error: only proof ends it."""

    INTENT = "intent"
    QUOTED = "quoted"
    RESERVED = "reserved"
    SIGN_REQUESTED = "sign_requested"
    SIGNED = "signed"
    BROADCAST = "broadcast"
    MINED = "mined"
    UNKNOWN = "unknown"
    SETTLED = "settled"
    REFUSED = "refused"
    EXPIRED = "expired"
    REVERTED = "reverted"
    DROPPED = "dropped"


class OrderEvent(StrEnum):
    """What can happen to an order."""

    QUOTE_MADE = "quote made"
    FUNDS_RESERVED = "funds reserved"
    SIGNATURE_ASKED = "signature asked"
    SIGNATURE_RECEIVED = "signature received"
    NODE_ACCEPTED = "node accepted"
    OUTCOME_LOST = "outcome lost"
    RECEIPT_SEEN = "receipt seen"
    REORGANISED_AWAY = "reorganised away"
    FINAL_SUCCESS = "final receipt, success"
    FINAL_REVERT = "final receipt, reverted"
    NONCE_CONSUMED = "nonce consumed by another hash at finality"
    DENIED = "denied"
    GAVE_UP = "gave up before a signature was asked"
    WITHDRAWN = "withdrawn unsigned, by the signer's word"


class IllegalTransitionError(Exception):
    """The table has no such step. A mistake of ours, never caught."""


_OUT_IN_THE_WORLD: Mapping[OrderEvent, OrderState] = {
    OrderEvent.NODE_ACCEPTED: OrderState.BROADCAST,
    OrderEvent.OUTCOME_LOST: OrderState.UNKNOWN,
    OrderEvent.RECEIPT_SEEN: OrderState.MINED,
    OrderEvent.NONCE_CONSUMED: OrderState.DROPPED,
}

TRANSITIONS: Mapping[OrderState, Mapping[OrderEvent, OrderState]] = {
    OrderState.INTENT: {
        OrderEvent.QUOTE_MADE: OrderState.QUOTED,
        OrderEvent.DENIED: OrderState.REFUSED,
        OrderEvent.GAVE_UP: OrderState.EXPIRED,
    },
    OrderState.QUOTED: {
        OrderEvent.QUOTE_MADE: OrderState.QUOTED,
        OrderEvent.FUNDS_RESERVED: OrderState.RESERVED,
        OrderEvent.DENIED: OrderState.REFUSED,
        OrderEvent.GAVE_UP: OrderState.EXPIRED,
    },
    OrderState.RESERVED: {
        OrderEvent.SIGNATURE_ASKED: OrderState.SIGN_REQUESTED,
        OrderEvent.DENIED: OrderState.REFUSED,
        OrderEvent.GAVE_UP: OrderState.EXPIRED,
    },
    # No way back by a timer: the signer may have signed, so only its
    # answer to the same key moves the order on.
    OrderState.SIGN_REQUESTED: {
        OrderEvent.SIGNATURE_RECEIVED: OrderState.SIGNED,
        OrderEvent.DENIED: OrderState.REFUSED,
        OrderEvent.WITHDRAWN: OrderState.EXPIRED,
    },
    OrderState.SIGNED: _OUT_IN_THE_WORLD,
    OrderState.BROADCAST: _OUT_IN_THE_WORLD,
    OrderState.UNKNOWN: _OUT_IN_THE_WORLD,
    OrderState.MINED: {
        OrderEvent.RECEIPT_SEEN: OrderState.MINED,
        OrderEvent.REORGANISED_AWAY: OrderState.BROADCAST,
        OrderEvent.FINAL_SUCCESS: OrderState.SETTLED,
        OrderEvent.FINAL_REVERT: OrderState.REVERTED,
        OrderEvent.NONCE_CONSUMED: OrderState.DROPPED,
    },
    OrderState.SETTLED: {},
    OrderState.REFUSED: {},
    OrderState.EXPIRED: {},
    OrderState.REVERTED: {},
    OrderState.DROPPED: {},
}

CLOSED_STATES = frozenset(state for state, steps in TRANSITIONS.items() if not steps)
"""Nothing can happen any more; cash and position are settled."""

OPEN_STATES = frozenset(OrderState) - CLOSED_STATES
"""The engine owns these and resumes them from their rows."""

HOLDING_STATES = frozenset(
    {
        OrderState.RESERVED,
        OrderState.SIGN_REQUESTED,
        OrderState.SIGNED,
        OrderState.BROADCAST,
        OrderState.MINED,
        OrderState.UNKNOWN,
    }
)
"""Funds are reserved for the order."""


def advance(state: OrderState, event: OrderEvent) -> OrderState:
    """State after `event`. Raises IllegalTransitionError when the table has no such step."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransitionError(f"{state} has no step for {event!r}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One row. Amounts are base units; fields below `state` are filled as the life cycle advances.

    `parent` is the swap that an approval serves. `draft` is the unsigned transaction exactly as the signer
    was, or will be, asked: it is stored so that a repeated question has the same content. Signed bytes are
    never stored; the signer gives them again for the same key. `fence` grows with every claim, so that a
    process that lost its lease cannot write. `wallet_group` is the signer's wallet whose account was chosen,
    `follows` the order whose account could not sign, `recipient` the wallet that a top-up goes to, and
    `waiting` how far a person is with it, for people.
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
    fence: int
    state: OrderState
    parent: OrderId | None = None
    spender: Address | None = None
    wallet_group: str | None = None
    follows: OrderId | None = None
    recipient: WalletId | None = None
    quote: Quote | None = None
    draft: TransactionDraft | None = None
    idempotency_key: IdempotencyKey | None = None
    signer_transaction_id: str | None = None
    nonce: int | None = None
    transaction_hash: str | None = None
    signed_at: UnixMs | None = None
    block_number: int | None = None
    block_hash: str | None = None
    amount_spent: int | None = None
    amount_received: int | None = None
    fee_paid_wei: int | None = None
    reason: str | None = None
    waiting: str | None = None
