"""The steps of a claimed order, by the life-cycle table. Money moves with the state or not at all."""

from dataclasses import replace

import asyncpg

from trader.adapters.postgres.creation import CREATE, intent_columns, verdict_on
from trader.adapters.postgres.leases import lease_lost
from trader.adapters.postgres.part import Fetchval, Part, call
from trader.adapters.postgres.rows import booking_columns, changes_json
from trader.domain.errors import FundsShortError
from trader.domain.ids import IdempotencyKey, OrderId
from trader.domain.orders import CLOSED_STATES, Order, OrderEvent, OrderKind, OrderState, advance
from trader.domain.quotes import Fill, Quote, TransactionDraft
from trader.domain.time import UnixMs
from trader.portfolio.limits import reserve_guard
from trader.portfolio.postings import Posting, change_of_holds, change_of_incoming, closing
from trader.ports.order_store import ApprovalState, Claim, NewOrder, PortfolioLimits, ReserveRefusal


class Transitions(Part):
    """One method for each event. All raise LeaseLostError, and then nothing was written."""

    async def quoted(self, claim: Claim, quote: Quote, draft: TransactionDraft, now: UnixMs) -> Claim:
        """QUOTE_MADE: the quote and the unsigned transaction."""
        return await self._step(
            claim, OrderEvent.QUOTE_MADE, replace(claim.order, quote=quote, draft=draft), now
        )

    async def reserve(self, claim: Claim, limits: PortfolioLimits, now: UnixMs) -> Claim | ReserveRefusal:
        """FUNDS_RESERVED: amount in and worst fee move from free to reserved, or the guard that refuses."""
        before = claim.order
        after = replace(before, state=advance(before.state, OrderEvent.FUNDS_RESERVED))
        guard = reserve_guard(
            before,
            max_position=limits.max_position.get(before.asset_out),
            cooldown_ms=limits.cooldown_ms,
            now=now,
        )
        verdict = await self._database.fetchval(
            _RESERVE,
            before.id,
            claim.owner,
            before.fence,
            before.state,
            after.state,
            OrderEvent.FUNDS_RESERVED,
            now,
            before.wallet,
            before.asset_in,
            before.asset_out,
            guard.exposure_at_most,
            guard.quiet_since,
            *booking_columns(change_of_holds(before, after), change_of_incoming(before, after)),
        )
        return verdict_on(replace(claim, order=after), verdict)

    async def ask_signature(
        self, claim: Claim, key: IdempotencyKey, draft: TransactionDraft, now: UnixMs
    ) -> Claim:
        """SIGNATURE_ASKED: the key is durable before the signer hears of it.

        The hold follows the draft. Raises FundsShortError when a draft dearer than the reserved one has no
        cover.
        """
        after = replace(claim.order, idempotency_key=key, draft=draft)
        return await self._step(claim, OrderEvent.SIGNATURE_ASKED, after, now)

    async def signed(
        self, claim: Claim, transaction_id: str, nonce: int, transaction_hash: str, now: UnixMs
    ) -> Claim:
        """SIGNATURE_RECEIVED."""
        after = replace(
            claim.order,
            signer_transaction_id=transaction_id,
            nonce=nonce,
            transaction_hash=transaction_hash,
            signed_at=now,
        )
        return await self._step(claim, OrderEvent.SIGNATURE_RECEIVED, after, now)

    async def broadcast(self, claim: Claim, now: UnixMs) -> Claim:
        """NODE_ACCEPTED."""
        return await self._step(claim, OrderEvent.NODE_ACCEPTED, claim.order, now)

    async def outcome_lost(self, claim: Claim, reason: str, now: UnixMs) -> Claim:
        """OUTCOME_LOST: UNKNOWN until proof."""
        return await self._step(claim, OrderEvent.OUTCOME_LOST, replace(claim.order, reason=reason), now)

    async def mined(self, claim: Claim, fill: Fill, now: UnixMs) -> Claim:
        """RECEIPT_SEEN: the fill is noted; nothing is booked yet."""
        return await self._step(claim, OrderEvent.RECEIPT_SEEN, _with_fill(claim.order, fill), now)

    async def reorganised(self, claim: Claim, now: UnixMs) -> Claim:
        """REORGANISED_AWAY: the fill is forgotten."""
        after = _without_fill(claim.order)
        return await self._step(claim, OrderEvent.REORGANISED_AWAY, after, now)

    async def settle(self, claim: Claim, fill: Fill, now: UnixMs) -> Order:
        """FINAL_SUCCESS or FINAL_REVERT: books what the receipt says and returns what was not used.

        Raises FundsShortError when the chain took more than the books hold.
        """
        return await self._settled(claim, fill, now)

    async def drop(self, claim: Claim, reason: str, fee_paid_wei: int, now: UnixMs) -> Order:
        """NONCE_CONSUMED: returns the reservation but for what our own cancellation cost."""
        after = replace(_without_fill(claim.order), reason=reason, fee_paid_wei=fee_paid_wei)
        return await self._close(claim, OrderEvent.NONCE_CONSUMED, after, now)

    async def deny(self, claim: Claim, reason: str, now: UnixMs) -> Order:
        """DENIED: returns what was reserved."""
        return await self._close(claim, OrderEvent.DENIED, replace(claim.order, reason=reason), now)

    async def give_up(self, claim: Claim, reason: str, now: UnixMs) -> Order:
        """GAVE_UP: returns what was reserved."""
        return await self._close(claim, OrderEvent.GAVE_UP, replace(claim.order, reason=reason), now)

    async def withdraw(self, claim: Claim, reason: str, now: UnixMs) -> Order:
        """WITHDRAWN: returns what was reserved."""
        return await self._close(claim, OrderEvent.WITHDRAWN, replace(claim.order, reason=reason), now)

    async def note_waiting(self, key: IdempotencyKey, waiting: str | None) -> OrderId | None:
        """For people; no step looks at it."""
        found = await self._database.fetchval(_NOTE, key, waiting)
        return None if found is None else OrderId(str(found))

    async def hand_over(self, claim: Claim, reason: str, following: NewOrder, now: UnixMs) -> Order:
        """End one order and begin the next in one transaction."""
        if following.follows != claim.order.id:
            raise ValueError(f"order {following.id} does not follow {claim.order.id}")
        asked = claim.order.state is OrderState.SIGN_REQUESTED
        event = OrderEvent.DENIED if asked else OrderEvent.GAVE_UP
        async with self._database.transaction() as connection:
            closed = await self._close(
                claim, event, replace(claim.order, reason=reason), now, fetchval=connection.fetchval
            )
            if await connection.fetchval(CREATE, *intent_columns(following)) is not True:
                raise RuntimeError(f"order {claim.order.id} is open and was followed already")
        return closed

    async def _settled(
        self, claim: Claim, fill: Fill, now: UnixMs, *, fetchval: Fetchval | None = None
    ) -> Order:
        event = OrderEvent.FINAL_REVERT if fill.reverted else OrderEvent.FINAL_SUCCESS
        return await self._close(claim, event, _with_fill(claim.order, fill), now, fetchval=fetchval)

    async def _step(self, claim: Claim, event: OrderEvent, after: Order, now: UnixMs) -> Claim:
        after = replace(after, state=advance(claim.order.state, event))
        return await self._write(claim, event, after, change_of_holds(claim.order, after), now)

    async def _close(
        self, claim: Claim, event: OrderEvent, after: Order, now: UnixMs, *, fetchval: Fetchval | None = None
    ) -> Order:
        after = replace(after, state=advance(claim.order.state, event))
        postings = closing(
            claim.order,
            spent=after.amount_spent or 0,
            received=after.amount_received or 0,
            fee_paid_wei=after.fee_paid_wei or 0,
        )
        return (await self._write(claim, event, after, postings, now, fetchval=fetchval)).order

    async def _write(
        self,
        claim: Claim,
        event: OrderEvent,
        after: Order,
        postings: tuple[Posting, ...],
        now: UnixMs,
        *,
        fetchval: Fetchval | None = None,
    ) -> Claim:
        """By itself, or within a transaction by its `fetchval`."""
        try:
            written = await (fetchval or self._database.fetchval)(
                _ADVANCE,
                after.id,
                claim.owner,
                claim.order.fence,
                claim.order.state,
                after.state,
                after.state in CLOSED_STATES,
                event,
                now,
                changes_json(claim.order, after),
                _approval_after(after),
                after.wallet,
                *booking_columns(postings, change_of_incoming(claim.order, after)),
            )
        except asyncpg.CheckViolationError as error:
            if error.table_name != "balances":
                raise
            raise FundsShortError(
                f"wallet {after.wallet} holds too little for {event} of order {after.id}: "
                + ", ".join(f"{posting.account} {posting.amount:+} {posting.asset}" for posting in postings)
            ) from None
        if written is not True:
            raise lease_lost(claim)
        return replace(claim, order=after)


def _with_fill(order: Order, fill: Fill) -> Order:
    return replace(
        order,
        transaction_hash=fill.transaction_hash,
        block_number=fill.block_number,
        block_hash=fill.block_hash,
        amount_spent=fill.spent,
        amount_received=fill.received,
        fee_paid_wei=fill.fee_paid_wei,
    )


def _without_fill(order: Order) -> Order:
    return replace(
        order, block_number=None, block_hash=None, amount_spent=None, amount_received=None, fee_paid_wei=None
    )


def _approval_after(order: Order) -> ApprovalState | None:
    """What becomes of the allowance when the swap that needs it, or the order that sends it, closes."""
    if order.state not in CLOSED_STATES:
        return None
    if order.state is OrderState.SETTLED:
        return ApprovalState.CONSUMED if order.kind is OrderKind.SWAP else None
    return ApprovalState.ABANDONED


_ADVANCE = (
    "SELECT advance_order($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"
)
_RESERVE = call("reserve_order", 19)
_NOTE = """
UPDATE orders SET waiting = $2
 WHERE idempotency_key = split_part($1, '-', 1) AND closed_at IS NULL RETURNING id
"""
