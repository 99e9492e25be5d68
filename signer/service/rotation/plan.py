"""What a drain does next, from what is there. Pure: one position in, one step out; remembers nothing.

Normal: what is in flight ends, allowances end, tokens go, the native coin goes last. Emergency: tokens by
value, then the native coin but for what allowances need, then allowances, and nobody is waited for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import TypeAlias

from signer.domain.accounts import Address
from signer.domain.actions import DrainAction, Erc20Approve, Erc20Transfer, NativeTransfer
from signer.domain.records import TransactionRecord
from signer.domain.rotation import ROTATION_CLIENT
from signer.domain.slots import SlotState, TransactionKind
from signer.domain.time import UnixMs
from signer.domain.transactions import TransactionId
from signer.service.rotation.bids import Bid, FeeLimits, bid, native_bid, outbid

TRANSFER_GAS = 21_000
"""Of a plain transfer (yellow paper, appendix G)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLeft:
    """A token at the old account. `gas` for sending it, None when that would fail or exceed the policy."""

    token: Address
    amount: int
    gas: int | None
    dust: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowanceLeft:
    """An allowance that is not 0. `gas` for ending it, None when that would fail or exceed the policy."""

    token: Address
    spender: Address
    gas: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """The newest transaction of a nonce that no block has yet; `action` is None for a client's.

    `since`: when its nonce was signed for first.
    """

    record: TransactionRecord
    action: DrainAction | None
    since: UnixMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a drain waits: for a client's transaction, for one of its own, for one that a node refused."""

    in_flight_ms: int = 300_000
    stuck_ms: int = 60_000
    refused_ms: int = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The old account at one block, by the chain and the ledger.

    `pending` by nonce; `inbound` is what a rotation that was turned back still has on its way here, `known`
    what the node was given in this turn, `refused` what of it the node would not have. `unsettled`: a
    signature is out whose outcome is not final. `gap`: a nonce below a pending one was given back, so nothing
    above it can be mined. `tokens` are in the order in which an emergency moves them. `sweep_left_wei`: what
    the last sweep of the coin left of its own fee.
    """

    now: UnixMs
    emergency: bool
    pending: tuple[Pending, ...]
    inbound: tuple[Pending, ...]
    known: frozenset[TransactionId]
    refused: frozenset[TransactionId]
    unsettled: bool
    gap: bool
    allowances: tuple[AllowanceLeft, ...]
    tokens: tuple[TokenLeft, ...]
    native_wei: int
    sweep_left_wei: int
    base_fee_wei: int
    fees: FeeLimits
    patience: Patience


@dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast:
    """Hand the bytes to the node (again)."""

    record: TransactionRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """Sign a second transaction for the nonce: the same at higher fees, or a cancellation."""

    record: TransactionRecord
    kind: TransactionKind
    bid: Bid


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Sign a transaction on a new nonce."""

    action: DrainAction
    gas: int
    bid: Bid


class Waiting(StrEnum):
    """What has to happen before the next step."""

    IN_FLIGHT = "the clients' transactions in flight have to be mined"
    MINED = "what was sent has to be mined"
    FINAL = "what was mined has to become final"
    FEES = "the chain's fee is above what the policy allows"
    FUNDS = "the old account lacks native coin for fees: send it some"
    UNMOVABLE = "what is left would fail, or needs more gas than the policy allows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing to do now."""

    why: Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """Nothing is left but dust, and all of it is final."""


Step: TypeAlias = Broadcast | Replace | Send | Wait | Swept


def plan(position: Position, successor: Address) -> Step:
    """Return the next step."""
    on_their_way = [(pending, position.native_wei) for pending in position.pending]
    for pending, funds_wei in [*on_their_way, *[(pending, None) for pending in position.inbound]]:
        if (needed := _tend(position, pending, funds_wei=funds_wei)) is not None:
            return needed
    if position.pending and not position.emergency:
        return _while_pending(position, successor)
    held_up: Waiting | None = None
    for move in _moves(position, successor):
        if isinstance(move, Send):
            return move
        held_up = held_up or move
    if held_up is not None:
        return Wait(why=held_up)
    if position.pending:
        return Wait(why=Waiting.MINED)
    return Wait(why=Waiting.FINAL) if position.unsettled else Swept()


def is_native_dust(position: Position) -> bool:
    """Whether moving the native coin would cost at least as much as it moves, or did when it was swept."""
    worst = TRANSFER_GAS * native_bid(position.fees, position.base_fee_wei).max_fee_wei
    return position.native_wei <= max(2 * worst, position.sweep_left_wei)


def _while_pending(position: Position, successor: Address) -> Step:
    """One at a time when nothing is urgent; but nothing above a nonce that was given back is ever mined."""
    if position.gap:
        filler = _send(position, NativeTransfer(recipient=successor, amount_wei=0), TRANSFER_GAS)
        return filler if isinstance(filler, Send) else Wait(why=filler)
    ours = all(_is_ours(pending) for pending in position.pending)
    return Wait(why=Waiting.MINED if ours else Waiting.IN_FLIGHT)


def _tend(position: Position, pending: Pending, *, funds_wei: int | None) -> Step | None:
    """What a pending transaction needs: to be known, to be dearer, or to be out of the way."""
    record, patience = pending.record, position.patience
    known = None if record.id in position.known else Broadcast(record=record)
    if _is_ours(pending):
        refused = record.state is SlotState.SIGNED and record.id in position.known
        if _is_stuck(position, record) or (refused and _has_waited(position, record)):
            # A native sweep holds the whole balance: at a higher fee it could not be paid for.
            moves_coin = record.unsigned.payload.value_wei > 0
            higher = _replace(position, record, cancel=moves_coin, funds_wei=funds_wei)
            return higher or known or _undercut(position, pending, funds_wei)
        return known if record.state is SlotState.SIGNED else None
    waits = 0 if position.emergency else patience.in_flight_ms
    # Counted from the first signature: who raises its fees again and again gains no time.
    if position.now - pending.since < waits:
        return None
    # What cannot be outbid is made known instead: its signature counts as released anyway.
    higher = _replace(position, record, cancel=True, funds_wei=funds_wei)
    return higher or known or _undercut(position, pending, funds_wei)


def _undercut(position: Position, pending: Pending, funds_wei: int | None) -> Replace | None:
    """Cancellation of what can neither be outbid nor paid for: no node has it, so any fee will do.

    Once for a nonce; a cancellation of ours is only ever raised.
    """
    record = pending.record
    ours_already = _is_ours(pending) and record.kind is TransactionKind.CANCELLATION
    if record.id not in position.refused or ours_already:
        return None
    chosen = bid(position.fees, position.base_fee_wei, gas=TRANSFER_GAS, urgent=position.emergency)
    if chosen is not None and funds_wei is not None:
        chosen = chosen.within(funds_wei // TRANSFER_GAS)
    if chosen is None or chosen.max_fee_wei <= position.base_fee_wei:
        return None
    return Replace(record=record, kind=TransactionKind.CANCELLATION, bid=chosen)


def _replace(
    position: Position, record: TransactionRecord, *, cancel: bool, funds_wei: int | None
) -> Replace | None:
    payload = record.unsigned.payload
    cancel = cancel or record.kind is TransactionKind.CANCELLATION
    gas = TRANSFER_GAS if cancel else payload.gas_limit
    higher = outbid(
        position.fees, position.base_fee_wei, payload, gas=gas, funds_wei=funds_wei, urgent=position.emergency
    )
    if higher is None:
        return None
    kind = TransactionKind.CANCELLATION if cancel else TransactionKind.REPLACEMENT
    return Replace(record=record, kind=kind, bid=higher)


def _moves(position: Position, successor: Address) -> Iterator[Send | Waiting]:
    """Everything that is left to move, first things first; a Waiting says why one of them cannot be moved."""
    allowances = _allowances(position)
    tokens = _tokens(position, successor)
    waits = False
    if position.emergency:
        yield from tokens
        yield from _native(position, successor, keep_wei=_fees_of_allowances(position))
        yield from allowances
    else:
        for move in chain(allowances, tokens):
            waits = waits or isinstance(move, Waiting)
            yield move
    # Without the coin, nothing pays for what waits: a fee that falls, a node that estimates again.
    if not position.pending and not waits:
        yield from _native(position, successor, keep_wei=0)
    if position.gap:
        yield _send(position, NativeTransfer(recipient=successor, amount_wei=0), TRANSFER_GAS)


def _allowances(position: Position) -> Iterator[Send | Waiting]:
    for left in position.allowances:
        action = Erc20Approve(token=left.token, spender=left.spender, amount=0)
        if not any(pending.action == action for pending in position.pending):
            yield _send(position, action, left.gas)


def _tokens(position: Position, successor: Address) -> Iterator[Send | Waiting]:
    moving = {
        pending.action.token for pending in position.pending if isinstance(pending.action, Erc20Transfer)
    }
    for left in position.tokens:
        if not left.dust and left.token not in moving:
            action = Erc20Transfer(token=left.token, recipient=successor, amount=left.amount)
            yield _send(position, action, left.gas)


def _native(position: Position, successor: Address, *, keep_wei: int) -> Iterator[Send | Waiting]:
    # A cancellation is a transfer, too, but of nothing.
    if any(pending.record.unsigned.payload.value_wei for pending in position.pending if _is_ours(pending)):
        return
    # Worth moving again at a lower fee, it would reach a successor whose books were closed as swept.
    if position.native_wei <= position.sweep_left_wei:
        return
    chosen = native_bid(position.fees, position.base_fee_wei)
    worst = TRANSFER_GAS * chosen.max_fee_wei
    amount = _spendable(position) - keep_wei - worst
    if amount <= worst:
        return
    if chosen.max_fee_wei <= position.base_fee_wei or worst > position.fees.max_fee_per_transaction_wei:
        yield Waiting.FEES
        return
    yield Send(action=NativeTransfer(recipient=successor, amount_wei=amount), gas=TRANSFER_GAS, bid=chosen)


def _send(position: Position, action: DrainAction, gas: int | None) -> Send | Waiting:
    if gas is None:
        return Waiting.UNMOVABLE
    chosen = bid(position.fees, position.base_fee_wei, gas=gas, urgent=position.emergency)
    if chosen is None:
        return Waiting.FEES
    affordable = chosen.within(_spendable(position) // gas)
    if affordable.max_fee_wei <= position.base_fee_wei:
        return Waiting.FUNDS
    return Send(action=action, gas=gas, bid=affordable)


def _fees_of_allowances(position: Position) -> int:
    """What ending the allowances that are left can cost at worst."""
    total = 0
    for left in position.allowances:
        if left.gas is not None:
            chosen = bid(position.fees, position.base_fee_wei, gas=left.gas, urgent=position.emergency)
            total += 0 if chosen is None else chosen.max_fee_wei * left.gas
    return total


def _spendable(position: Position) -> int:
    """Native coin that no pending transaction may take."""
    payloads = [pending.record.unsigned.payload for pending in position.pending]
    taken = sum(payload.value_wei + payload.worst_fee_wei for payload in payloads)
    return max(0, position.native_wei - taken)


def _is_ours(pending: Pending) -> bool:
    return pending.record.client == ROTATION_CLIENT


def _has_waited(position: Position, record: TransactionRecord) -> bool:
    """Whether the node had time to change its mind about bytes that it refused."""
    return position.now - (record.signed_at or position.now) >= position.patience.refused_ms


def _is_stuck(position: Position, record: TransactionRecord) -> bool:
    outpriced = record.unsigned.payload.max_fee_per_gas_wei < position.base_fee_wei
    return outpriced or position.now - (record.signed_at or position.now) >= position.patience.stuck_ms
