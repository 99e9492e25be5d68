"""A market, a chain and an order book in memory; refuses a step that the life cycle has not."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.fakes.moves import FakeMoves
from trader.domain.errors import ChainUnavailableError
from trader.domain.ids import Address, AssetId, ChainName, IdempotencyKey, OrderId, WalletId, erc20
from trader.domain.orders import OPEN_STATES, Order, OrderEvent, OrderKind, OrderState, advance
from trader.domain.quotes import Fill, Quote, TransactionDraft
from trader.domain.time import UnixMs
from trader.engine.config import EngineConfig
from trader.ports.chain import Block, Broadcast, BroadcastOutcome, Receipt, SentTransaction
from trader.ports.clock import Clock
from trader.ports.order_store import (
    Approval,
    ApprovalState,
    Balance,
    Claim,
    NewOrder,
    PortfolioLimits,
    ReserveRefusal,
)
from trader.ports.venue import Fees, NoRoute, QuoteRequest

CHAIN = ChainName("eip155:31337")
TOKEN_IN, TOKEN_OUT, ROUTER = Address("0x" + "1a" * 20), Address("0x" + "2b" * 20), Address("0x" + "3c" * 20)
ASSET_IN, ASSET_OUT = erc20(CHAIN, TOKEN_IN), erc20(CHAIN, TOKEN_OUT)

CONFIG = EngineConfig(
    lease_ms=10_000,
    poll_ms=250,
    retry_first_ms=100,
    retry_most_ms=400,
    quarantine_ms=60_000,
    swap_deadline_s=60,
    stuck_after_ms=30_000,
    max_replacements=2,
    confirmations=2,
    max_fee_per_gas_wei=50_000_000_000,
    max_priority_fee_per_gas_wei=2_000_000_000,
    limits=PortfolioLimits(max_position={}, cooldown_ms=0),
    symbols={},
)


class FakeVenue:
    """Pays two for one, less `worse`; its quotes live ten seconds."""

    def __init__(
        self, clock: Clock, name: str = "uniswap_v2", *, worse: int = 0, spender: Address = ROUTER
    ) -> None:
        self._clock, self.name, self._worse, self._spender = clock, name, worse, spender
        self.no_route: str | None = None
        self.asked = 0

    async def quote(self, request: QuoteRequest) -> Quote | NoRoute:
        self.asked += 1
        if self.no_route is not None:
            return NoRoute(why=self.no_route)
        amount_out = request.amount_in * 2 - self._worse
        return Quote(
            wallet=request.wallet,
            venue=self.name,
            asset_in=request.asset_in,
            asset_out=request.asset_out,
            path=(TOKEN_IN, TOKEN_OUT),
            fees=(),
            spender=self._spender,
            amount_in=request.amount_in,
            amount_out=amount_out,
            minimum_out=amount_out,
            block_number=1,
            made_at=self._clock.now(),
            expires_at=UnixMs(self._clock.now() + 10_000),
        )

    def build(self, quote: Quote, fees: Fees, deadline_s: int) -> TransactionDraft:
        return TransactionDraft(
            to=quote.spender,
            value_wei=0,
            data=b"swap",
            gas_limit=100_000,
            max_fee_per_gas_wei=fees.max_fee_per_gas_wei,
            max_priority_fee_per_gas_wei=fees.max_priority_fee_per_gas_wei,
            deadline_s=deadline_s,
        )


@dataclass(slots=True)
class FakeChain:
    """Mines nothing by itself: a test puts receipts. `answers` False makes every read fail."""

    number: int = 10
    timestamp_s: int = 1_800_000_000
    base_fee_wei: int = 1_000_000_000
    allowed: int = 0
    count: int = 0
    answers: bool = True
    says: BroadcastOutcome = BroadcastOutcome.ACCEPTED
    receipts: dict[str, Receipt] = field(default_factory=dict)
    hashes: dict[int, str] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    blocks: dict[int, list[SentTransaction]] = field(default_factory=dict)
    counts_by_block: dict[int, int] = field(default_factory=dict)
    coins: dict[Address, int] = field(default_factory=dict)
    tokens: dict[tuple[Address, Address], int] = field(default_factory=dict)

    def mine(self, transaction_hash: str, *, reverted: bool = False, block: int | None = None) -> Receipt:
        number = self.number if block is None else block
        receipt = Receipt(
            transaction_hash=transaction_hash,
            block_number=number,
            block_hash=f"block {number}",
            reverted=reverted,
            fee_paid_wei=21_000,
            transfers=(),
        )
        self.receipts[transaction_hash] = receipt
        return receipt

    def _block(self, number: int) -> Block:
        if not self.answers:
            raise ChainUnavailableError("scripted")
        return Block(
            number=number,
            hash=f"block {number}",
            timestamp_s=self.timestamp_s,
            base_fee_per_gas_wei=self.base_fee_wei,
        )

    async def head(self) -> Block:
        return self._block(self.number)

    async def finalized(self) -> Block:
        return self._block(self.number - 2)

    async def block_hash(self, number: int) -> str | None:
        return self.hashes.get(number, self._block(number).hash)

    async def transaction_count(self, address: Address, block_number: int) -> int:
        del address
        self._block(block_number)
        return self.counts_by_block.get(block_number, self.count)

    async def receipt(self, transaction_hash: str) -> Receipt | None:
        self._block(self.number)
        return self.receipts.get(transaction_hash)

    async def sent_from(self, senders: Collection[Address], block_number: int) -> Sequence[SentTransaction]:
        self._block(block_number)
        return [sent for sent in self.blocks.get(block_number, ()) if sent.sender in senders]

    async def native_balance(self, address: Address, block_number: int) -> int:
        del block_number
        return self.coins.get(address, 0)

    async def token_balance(self, token: Address, address: Address, block_number: int) -> int:
        del block_number
        return self.tokens.get((token, address), 0)

    async def allowance(self, token: Address, owner: Address, spender: Address) -> int:
        del token, owner, spender
        return self.allowed

    async def priority_fee_per_gas_wei(self) -> int:
        return 1_000_000_000

    async def broadcast(self, raw: bytes, transaction_hash: str) -> Broadcast:
        assert raw
        self.sent.append(transaction_hash)
        return Broadcast(outcome=self.says, detail="scripted")


class OrderBook(FakeMoves):
    """OrderStore without money: rows, events and approvals. `refusal` is what a reservation answers."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[OrderId, Order] = {}
        self.events: list[str] = []
        self.approvals: dict[OrderId, Approval] = {}
        self.due: dict[OrderId, UnixMs] = {}
        self.refusal: ReserveRefusal | None = None
        self.halts: dict[WalletId, str] = {}
        self.allowance_taken = False
        self.free: dict[tuple[WalletId, AssetId], int] = {}

    async def create(self, order: NewOrder) -> Order:
        fields = {name: getattr(order, name) for name in NewOrder.__dataclass_fields__}
        return self.rows.setdefault(order.id, Order(**fields, fence=0, state=OrderState.INTENT))

    async def get(self, order: OrderId) -> Order | None:
        return self.rows.get(order)

    async def orders(self, *, open_only: bool, limit: int) -> Sequence[Order]:
        found = [order for order in self.rows.values() if not open_only or order.state in OPEN_STATES]
        return found[:limit]

    def claim_now(self, order: OrderId) -> Claim:
        self.rows[order] = replace(self.rows[order], fence=self.rows[order].fence + 1)
        return Claim(order=self.rows[order], owner="test", lease_until=UnixMs(2**60))

    async def claim(self, owner: str, now: UnixMs, lease_ms: int, limit: int) -> Sequence[Claim]:
        del owner, now, lease_ms
        opened = [order.id for order in self.rows.values() if order.state in OPEN_STATES]
        return [self.claim_now(order) for order in opened[:limit]]

    async def renew(self, claim: Claim, now: UnixMs, lease_ms: int) -> Claim:
        return replace(claim, lease_until=UnixMs(now + lease_ms))

    async def let_go(self, claim: Claim, due_at: UnixMs) -> None:
        self.due[claim.order.id] = due_at

    async def quoted(self, claim: Claim, quote: Quote, draft: TransactionDraft, now: UnixMs) -> Claim:
        del now
        return self._step(claim, OrderEvent.QUOTE_MADE, quote=quote, draft=draft)

    async def reserve(self, claim: Claim, limits: PortfolioLimits, now: UnixMs) -> Claim | ReserveRefusal:
        del limits, now
        return self.refusal or self._step(claim, OrderEvent.FUNDS_RESERVED)

    async def ask_signature(
        self, claim: Claim, key: IdempotencyKey, draft: TransactionDraft, now: UnixMs
    ) -> Claim:
        del now
        return self._step(claim, OrderEvent.SIGNATURE_ASKED, idempotency_key=key, draft=draft)

    async def signed(
        self, claim: Claim, transaction_id: str, nonce: int, transaction_hash: str, now: UnixMs
    ) -> Claim:
        return self._step(
            claim,
            OrderEvent.SIGNATURE_RECEIVED,
            signer_transaction_id=transaction_id,
            nonce=nonce,
            transaction_hash=transaction_hash,
            signed_at=now,
        )

    async def broadcast(self, claim: Claim, now: UnixMs) -> Claim:
        del now
        return self._step(claim, OrderEvent.NODE_ACCEPTED)

    async def outcome_lost(self, claim: Claim, reason: str, now: UnixMs) -> Claim:
        del now
        return self._step(claim, OrderEvent.OUTCOME_LOST, reason=reason)

    async def mined(self, claim: Claim, fill: Fill, now: UnixMs) -> Claim:
        del now
        return self._step(
            claim,
            OrderEvent.RECEIPT_SEEN,
            transaction_hash=fill.transaction_hash,
            block_number=fill.block_number,
            block_hash=fill.block_hash,
        )

    async def reorganised(self, claim: Claim, now: UnixMs) -> Claim:
        del now
        return self._step(claim, OrderEvent.REORGANISED_AWAY, block_number=None, block_hash=None)

    async def settle(self, claim: Claim, fill: Fill, now: UnixMs) -> Order:
        del now
        event = OrderEvent.FINAL_REVERT if fill.reverted else OrderEvent.FINAL_SUCCESS
        return self._step(claim, event, fee_paid_wei=fill.fee_paid_wei).order

    async def drop(self, claim: Claim, reason: str, fee_paid_wei: int, now: UnixMs) -> Order:
        del now
        return self._step(claim, OrderEvent.NONCE_CONSUMED, reason=reason, fee_paid_wei=fee_paid_wei).order

    async def deny(self, claim: Claim, reason: str, now: UnixMs) -> Order:
        del now
        return self._step(claim, OrderEvent.DENIED, reason=reason).order

    async def give_up(self, claim: Claim, reason: str, now: UnixMs) -> Order:
        del now
        return self._step(claim, OrderEvent.GAVE_UP, reason=reason).order

    async def withdraw(self, claim: Claim, reason: str, now: UnixMs) -> Order:
        del now
        return self._step(claim, OrderEvent.WITHDRAWN, reason=reason).order

    async def note_waiting(self, key: IdempotencyKey, waiting: str | None) -> OrderId | None:
        for order in self.rows.values():
            if order.idempotency_key == key.partition("-")[0] and order.state in OPEN_STATES:
                self.rows[order.id] = replace(order, waiting=waiting)
                return order.id
        return None

    async def hand_over(self, claim: Claim, reason: str, following: NewOrder, now: UnixMs) -> Order:
        del now
        asked = claim.order.state is OrderState.SIGN_REQUESTED
        event = OrderEvent.DENIED if asked else OrderEvent.GAVE_UP
        closed = self._step(claim, event, reason=reason).order
        await self.create(following)
        return closed

    async def line_of(self, order: OrderId) -> Sequence[Order]:
        line = [self.rows[order]]
        while line[-1].follows is not None:
            line.append(self.rows[line[-1].follows])
        return line

    async def group_wallets(self, group: str, wallets: Sequence[WalletId]) -> None:
        del group, wallets

    async def open_top_up(
        self, order: NewOrder, quote: Quote, draft: TransactionDraft, *, quiet_since: UnixMs, now: UnixMs
    ) -> Claim | ReserveRefusal:
        made = [one.created_at for one in self.rows.values() if one.kind is OrderKind.TOP_UP]
        if any(at > quiet_since for at in made):
            return ReserveRefusal.TOP_UP_WAITS
        limits = PortfolioLimits(max_position={}, cooldown_ms=0)
        return await self.open_reserved(order, quote, draft, limits, owner="t", now=now, lease_ms=0)

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
        if self.refusal is not None:
            return self.refusal
        await self.create(order)
        claim = replace(self.claim_now(order.id), owner=owner, lease_until=UnixMs(now + lease_ms))
        claim = await self.quoted(claim, quote, draft, now)
        reserved = await self.reserve(claim, limits, now)
        assert isinstance(reserved, Claim)
        return reserved

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
        swap = claim.order
        assert order.spender is not None
        if self.allowance_taken:
            return None
        opened = await self.open_reserved(
            order, quote, draft, limits, owner=claim.owner, now=now, lease_ms=lease_ms
        )
        if isinstance(opened, Claim):
            self.approvals[swap.id] = Approval(
                wallet=swap.wallet,
                token=TOKEN_IN,
                spender=order.spender,
                amount=order.amount_in,
                swap=swap.id,
                order=order.id,
                state=ApprovalState.REQUESTED,
            )
        return opened

    async def wake(self, order: OrderId, now: UnixMs) -> None:
        self.due[order] = now

    async def approval_of(self, swap: OrderId) -> Approval | None:
        return self.approvals.get(swap)

    async def approval_usable(self, claim: Claim, now: UnixMs) -> None:
        del now
        self.approvals[claim.order.id] = replace(self.approvals[claim.order.id], state=ApprovalState.USABLE)

    async def open_wallet(
        self, wallet: WalletId, balances: Mapping[AssetId, int], block_number: int, now: UnixMs
    ) -> bool:
        del wallet, balances, block_number, now
        return True

    async def balances(self, wallet: WalletId) -> Sequence[Balance]:
        return [
            Balance(wallet=wallet, asset=asset, free=free, reserved=0)
            for (owner, asset), free in self.free.items()
            if owner == wallet
        ]

    async def states(self) -> Mapping[OrderState, int]:
        return {}

    async def halt_wallet(self, wallet: WalletId, reason: str, now: UnixMs) -> None:
        del now
        self.halts[wallet] = reason

    async def release_wallet(self, wallet: WalletId, now: UnixMs) -> None:
        del now
        self.halts.pop(wallet, None)

    def _step(self, claim: Claim, event: OrderEvent, **changes: object) -> Claim:
        before = self.rows[claim.order.id]
        after = replace(before, state=advance(before.state, event), **changes)  # type: ignore[arg-type]  # named above
        self.rows[before.id] = after
        self.events.append(event)
        return replace(claim, order=after)
