"""RESERVED → SIGN_REQUESTED: the key becomes durable before the signer hears of it. A dry run ends here.

This is the last moment at which an order may be given up by a timer.
"""

from trader.domain.errors import FundsShortError
from trader.domain.ids import IdempotencyKey, token_of
from trader.domain.orders import Order, OrderKind
from trader.domain.quotes import Quote, TransactionDraft
from trader.engine.beliefs import belief_of, words
from trader.engine.desk import Desk
from trader.engine.results import StepResult
from trader.ports.order_store import Claim
from trader.ports.signer import ApprovalBelief, Refused
from trader.ports.venue import Fees

DRY_RUN = "dry run: the signer would sign"


async def step(desk: Desk, claim: Claim) -> StepResult:
    """Make the question durable, or give a stale one up."""
    order, now = claim.order, desk.clock.now()
    if order.quote is None or order.draft is None:
        raise ValueError(f"order {order.id} is reserved without quote and draft")
    if now >= order.quote.expires_at:
        return await desk.store.give_up(claim, "the quote expired before a signature was asked", now)
    if not order.live:
        return await _dry_run(desk, claim, order.quote, order.draft)
    try:
        return await desk.store.ask_signature(claim, signature_key(order), order.draft, now)
    except FundsShortError as error:
        # Nothing was asked, so nothing is owed: the trade is too dear, the books are right.
        return await desk.store.give_up(claim, f"portfolio: {error}", now)


def signature_key(order: Order) -> IdempotencyKey:
    """An order asks for one signature in its life, so its own random id is the key: 32 hex digits."""
    return IdempotencyKey(order.id.replace("-", ""))


async def _dry_run(desk: Desk, claim: Claim, quote: Quote, draft: TransactionDraft) -> StepResult:
    verdicts = [
        await _evaluate_approval(desk, claim.order, quote, draft),
        await desk.signer.evaluate(claim.order.wallet, draft, belief_of(claim.order)),
    ]
    refusals = tuple(
        refusal for verdict in verdicts if isinstance(verdict, Refused) for refusal in verdict.refusals
    )
    if any(isinstance(verdict, Refused) for verdict in verdicts):
        return await desk.store.deny(claim, f"dry run: {words(Refused(refusals=refusals))}", desk.clock.now())
    return await desk.store.give_up(claim, DRY_RUN, desk.clock.now())


async def _evaluate_approval(
    desk: Desk, order: Order, quote: Quote, draft: TransactionDraft
) -> Refused | None:
    """Verdict on the approval that a live swap would have needed first."""
    if order.kind is not OrderKind.SWAP:
        return None
    token = token_of(order.asset_in)
    fees = Fees(
        max_fee_per_gas_wei=draft.max_fee_per_gas_wei,
        max_priority_fee_per_gas_wei=draft.max_priority_fee_per_gas_wei,
    )
    approval = desk.approvals.build(token, quote.spender, quote.amount_in, fees, draft.deadline_s)
    belief = ApprovalBelief(token=token, spender=quote.spender, amount=quote.amount_in)
    verdict = await desk.signer.evaluate(order.wallet, approval, belief)
    return verdict if isinstance(verdict, Refused) else None
