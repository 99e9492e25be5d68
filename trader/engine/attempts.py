"""The transactions that share an order's nonce: the original, its replacements, its cancellation.

Their keys and fees follow from the order's own persisted key and draft, and the signer's ledger remembers
which of them were ever signed. So they need no row here, and no crash makes the engine forget one.
"""

from collections.abc import Coroutine
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Protocol, TypeAlias

from trader.domain.errors import SignerNotReadyError, SignerUnavailableError
from trader.domain.ids import IdempotencyKey
from trader.domain.orders import Order
from trader.domain.quotes import TransactionDraft
from trader.engine.attended.asking import PersonAsked
from trader.engine.beliefs import belief_of
from trader.engine.config import MAX_REPLACEMENTS
from trader.engine.desk import Desk
from trader.engine.fees import bumped
from trader.ports.signer import IN_PROGRESS, GivenUp, Refused, Signed, SignerRecord
from trader.ports.venue import Fees

Answer: TypeAlias = Signed | Refused | PersonAsked


class AttemptKind(StrEnum):
    """What a transaction does with the order's nonce."""

    ORIGINAL = "original"
    REPLACEMENT = "replacement"
    CANCELLATION = "cancellation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A signed transaction with the order's nonce. `number` is 0 for the original, then counts up."""

    kind: AttemptKind
    number: int
    record: SignerRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was signed for one nonce, in order of fees. `asked`: one more is being asked for, of a person."""

    attempts: tuple[Attempt, ...]
    asked: bool


class _Ask(Protocol):
    """A question to the signer."""

    def __call__(self, *, person_ms: int) -> Coroutine[None, None, Signed | Refused | GivenUp]: ...


def replacement_key(key: IdempotencyKey, number: int) -> IdempotencyKey:
    """Key of the nth replacement, from 1."""
    return IdempotencyKey(f"{key}-r{number}")


def cancellation_key(key: IdempotencyKey) -> IdempotencyKey:
    """Key of the one cancellation."""
    return IdempotencyKey(f"{key}-c")


async def known_attempts(desk: Desk, order: Order) -> Known:
    """Every transaction that was ever signed for the order's nonce.

    Raises SignerUnavailableError, and SignerNotReadyError when the signer does not know even the original:
    it is not the signer that signed, or our grant is gone, and its silence about the others proves nothing.
    """
    key = _key(order)
    original = await desk.signer.lookup(key)
    if original is None:
        raise SignerNotReadyError(f"signer: knows no signature under the key of order {order.id}")
    found = [Attempt(kind=AttemptKind.ORIGINAL, number=0, record=original)]
    record: SignerRecord | PersonAsked | None = None
    for number in range(1, MAX_REPLACEMENTS + 1):
        record = await _signed_later(desk, replacement_key(key, number))
        if not isinstance(record, SignerRecord):
            break
        found.append(Attempt(kind=AttemptKind.REPLACEMENT, number=number, record=record))
    cancellation = await _signed_later(desk, cancellation_key(key))
    if isinstance(cancellation, SignerRecord):
        found.append(Attempt(kind=AttemptKind.CANCELLATION, number=len(found), record=cancellation))
    return Known(attempts=tuple(found), asked=PersonAsked() in (record, cancellation))


async def replace_next(desk: Desk, order: Order, last: Attempt, *, again: bool = False) -> Answer:
    """Ask for the next replacement: the same payload for 12.5 % more. `again`: it was signed before."""
    fees = bumped(_fees(order), last.number + 1)
    key = replacement_key(_key(order), last.number + 1)
    ask = partial(
        desk.signer.replace,
        key,
        last.record.transaction_id,
        fees.max_fee_per_gas_wei,
        fees.max_priority_fee_per_gas_wei,
    )
    return _of_signed(order, await _ask(desk, order, key, ask, again=again))


async def cancel_after(desk: Desk, order: Order, last: Attempt, *, again: bool = False) -> Answer:
    """Ask for the cancellation of the newest attempt. `again`: it was signed before."""
    fees = bumped(_fees(order), last.number + 1)
    key = cancellation_key(_key(order))
    ask = partial(
        desk.signer.cancel,
        key,
        last.record.transaction_id,
        fees.max_fee_per_gas_wei,
        fees.max_priority_fee_per_gas_wei,
    )
    return _of_signed(order, await _ask(desk, order, key, ask, again=again))


async def give_up_asking(desk: Desk, order: Order, transaction_id: str) -> Signed | Refused | GivenUp:
    """Let a question that waits for a person end.

    Was it signed in this moment, then this is its cancellation like any other, under the same key.
    """
    fees = bumped(_fees(order), 1)
    return await desk.signer.cancel(
        cancellation_key(_key(order)),
        transaction_id,
        fees.max_fee_per_gas_wei,
        fees.max_priority_fee_per_gas_wei,
    )


async def signed_again(desk: Desk, order: Order, attempts: tuple[Attempt, ...]) -> Answer:
    """Bytes of the newest attempt once more: the same key and content give the same bytes."""
    newest = attempts[-1]
    match newest.kind:
        case AttemptKind.CANCELLATION:
            return await cancel_after(desk, order, attempts[-2], again=True)
        case AttemptKind.REPLACEMENT:
            return await replace_next(desk, order, attempts[-2], again=True)
        case AttemptKind.ORIGINAL:
            return await original(desk, order)


async def original(desk: Desk, order: Order) -> Answer:
    """Ask for the order's own signature, for the first time or again."""
    ask = partial(desk.signer.sign, _key(order), order.wallet, _draft(order), belief_of(order))
    again = order.transaction_hash is not None
    return _of_signed(order, await _ask(desk, order, _key(order), ask, again=again))


async def _signed_later(desk: Desk, key: IdempotencyKey) -> SignerRecord | PersonAsked | None:
    """What is still being asked for cannot be mined: it hides nothing of what was signed before."""
    try:
        return await desk.signer.lookup(key)
    except SignerUnavailableError as error:
        if error.reason != IN_PROGRESS:
            raise
        return PersonAsked()


async def _ask(
    desk: Desk,
    order: Order,
    key: IdempotencyKey,
    ask: _Ask,
    *,
    again: bool,
) -> Signed | Refused | GivenUp | PersonAsked:
    """At once, or by a question of its own where a person answers; what was signed needs nobody `again`."""
    person_ms = 0 if again else desk.people.person_ms(order.wallet)
    if person_ms == 0:
        return await ask(person_ms=0)
    question = partial(ask, person_ms=person_ms)
    return await desk.asking.answer(key, question, patience_ms=desk.config.poll_ms, now=desk.clock.now())


def _of_signed(order: Order, answer: Signed | Refused | GivenUp | PersonAsked) -> Answer:
    if isinstance(answer, GivenUp):
        raise SignerNotReadyError(f"signer: gave up what it has signed for order {order.id}")
    return answer


def _key(order: Order) -> IdempotencyKey:
    if order.idempotency_key is None:
        raise ValueError(f"order {order.id} has no idempotency key")
    return order.idempotency_key


def _draft(order: Order) -> TransactionDraft:
    if order.draft is None:
        raise ValueError(f"order {order.id} has no draft")
    return order.draft


def _fees(order: Order) -> Fees:
    draft = _draft(order)
    return Fees(
        max_fee_per_gas_wei=draft.max_fee_per_gas_wei,
        max_priority_fee_per_gas_wei=draft.max_priority_fee_per_gas_wei,
    )
