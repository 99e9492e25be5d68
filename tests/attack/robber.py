"""A compromised trader that tries everything, by chance but by a seeded one; refuses to be stopped by a no.

It asks for honest things, for the worst that is still allowed, and for what is not. What is signed it keeps
for a while and then broadcasts: one transaction a nonce, at the highest price of gas that it bears, between
two trades of its own.
"""

import contextlib
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import grpc.aio

from protos.airlock.signer.v1 import signer_pb2 as pb
from tests.attack.harness import TIMEOUT_S, Arena
from tests.attack.market import Fees, Market, call, key, quote_v2, quote_v3, swap_claim
from tests.attack.sandwich import squeeze, trade
from tests.attack.works import PER_TRADE, THIEF
from tests.fakes import calldata, wire
from tests.testbed.anvil import RpcError
from tests.testbed.signer_program import GWEI
from tests.testbed.uniswap import ETHER, MAX_UINT256, V3_FEE

_BPS = 10_000
_WORST_ALLOWED = Fees(gas_limit=450_000, max_fee_per_gas_wei=50 * GWEI, max_priority_fee_per_gas_wei=3 * GWEI)
_REPLACEABLE = Fees(gas_limit=300_000, max_fee_per_gas_wei=20 * GWEI, max_priority_fee_per_gas_wei=GWEI)
_TOO_MUCH = (
    replace(_REPLACEABLE, max_fee_per_gas_wei=51 * GWEI),
    replace(_REPLACEABLE, max_priority_fee_per_gas_wei=4 * GWEI),
    replace(_REPLACEABLE, gas_limit=500_001),
    replace(_WORST_ALLOWED, gas_limit=500_000, max_fee_per_gas_wei=50 * GWEI + 1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """A swap before it is encoded."""

    symbols: Sequence[str]
    amount_in: int
    minimum_bps: int = 9_950
    recipient: str
    deadline_in_s: int = 60
    quoted_s_ago: int = 0
    tail: bytes = b""
    detour: bool = False
    lie: bool = False
    fees: Fees


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loot:
    """Signed bytes, and the swap in them when a sandwich is worth while."""

    id: str
    raw: bytes
    fees: Fees
    pair: tuple[str, str] | None = None
    amount_in: int = 0
    minimum_out: int = 0


@dataclass(slots=True, kw_only=True)
class Robber:
    """Owns the trader's certificate and one account's requests."""

    arena: Arena
    index: int
    rng: random.Random
    asked: int = 0
    signed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    broadcast: list[str] = field(default_factory=list)
    _held: dict[int, list[_Loot]] = field(default_factory=lambda: defaultdict(list))

    async def rob(self, requests: int) -> None:
        """Asks so many times, then broadcasts what is left."""
        while self.asked < requests:
            await self._step(await self.arena.market(self.index))
        await self._flush()

    async def _step(self, market: Market) -> None:
        steps = (self._swap, self._approve, self._wrap, self._second, self._steal, self._flush_now)
        (step,) = self.rng.choices(steps, weights=(50, 15, 8, 15, 8, 12))
        await step(market)

    async def _swap(self, market: Market) -> None:
        order = self._order(market)
        if self.rng.random() < 0.5:
            order = self._spoiled(order)
        v3 = len(order.symbols) == 2 and "USDX" in order.symbols and self.rng.random() < 0.4
        if self.rng.random() < 0.8:
            router = market.world.swap_router if v3 else market.world.v2_router
            await self._allow(market, order.symbols[0], router, PER_TRADE[order.symbols[0]])
        await (self._swap_v3 if v3 else self._swap_v2)(market, order)

    def _order(self, market: Market) -> _Order:
        ways = (("USDX", "ABC"), ("ABC", "USDX"), ("USDX", "WETH"), ("WETH", "USDX"), ("ABC", "USDX", "WETH"))
        symbols = self.rng.choice(ways)
        most = PER_TRADE[symbols[0]]
        return _Order(
            symbols=symbols,
            amount_in=self.rng.choice((most, most, most // 2, self.rng.randint(1, most))),
            recipient=market.own,
            fees=self.rng.choice((_WORST_ALLOWED, _REPLACEABLE)),
        )

    def _spoiled(self, order: _Order) -> _Order:
        most = PER_TRADE[order.symbols[0]]
        return self.rng.choice(
            (
                lambda: replace(order, recipient=self.rng.choice((THIEF, "0x" + "00" * 19 + "02"))),
                lambda: replace(order, minimum_bps=self.rng.choice((0, 1, 9_000, 9_949))),
                lambda: replace(order, amount_in=self.rng.choice((most + 1, 7 * most, MAX_UINT256 // 2))),
                lambda: replace(order, deadline_in_s=self.rng.choice((-1, 300, 10**9))),
                lambda: replace(order, quoted_s_ago=self.rng.choice((-3_600, 11, 10**6))),
                lambda: replace(order, tail=self.rng.randbytes(self.rng.choice((1, 32)))),
                lambda: replace(order, fees=self.rng.choice(_TOO_MUCH)),
                lambda: replace(order, detour=True),
                lambda: replace(order, lie=True),
            )
        )()

    async def _swap_v2(self, market: Market, order: _Order) -> None:
        path = tuple(map(market.world.token, order.symbols))
        if order.detour:
            path = (path[0], market.works.junk, path[-1])
        quoted = await self._quote(quote_v2(self.arena.chain, market.world, order.amount_in, path))
        minimum = -(-quoted * order.minimum_bps // _BPS)
        data = calldata.swap_exact_tokens_for_tokens(
            order.amount_in, minimum, path, order.recipient, market.deadline - 60 + order.deadline_in_s
        )
        request = self._claimed(market, order, market.world.v2_router, data + order.tail, minimum)
        pair = (path[0], path[1]) if len(path) == 2 else None
        await self._ask(request, order.fees, pair=pair, amount_in=order.amount_in, minimum_out=minimum)

    async def _swap_v3(self, market: Market, order: _Order) -> None:
        path = tuple(map(market.world.token, order.symbols))
        quoted = await self._quote(quote_v3(self.arena.chain, market.world, order.amount_in, path))
        minimum = -(-quoted * order.minimum_bps // _BPS)
        inner = calldata.exact_input_single(path, V3_FEE, order.recipient, order.amount_in, minimum)
        if order.detour:
            sweep = call("sweepToken(address,uint256,address)", path[-1], 0, THIEF)
            data = calldata.multicall(market.deadline, [inner, sweep])
        else:
            data = calldata.multicall(market.deadline - 60 + order.deadline_in_s, [inner])
        request = self._claimed(market, order, market.world.swap_router, data + order.tail, minimum)
        await self._ask(request, order.fees)

    def _claimed(
        self, market: Market, order: _Order, router: str, data: bytes, minimum: int
    ) -> pb.SignEvmTransactionRequest:
        said = order.amount_in // 2 if order.lie else order.amount_in
        token_in, token_out = (market.world.token(order.symbols[end]) for end in (0, -1))
        claim = swap_claim(token_in, token_out, said, minimum, quoted_s_ago=order.quoted_s_ago)
        return market.request(router, data, claim, fees=order.fees)

    async def _approve(self, market: Market) -> None:
        symbol = self.rng.choice(tuple(PER_TRADE))
        spender = self.rng.choice((market.world.v2_router, market.world.swap_router, THIEF, market.own))
        most = PER_TRADE[symbol]
        await self._allow(market, symbol, spender, self.rng.choice((0, most, most + 1, MAX_UINT256)))

    async def _allow(self, market: Market, symbol: str, spender: str, amount: int) -> None:
        await self._ask(market.approve(spender, amount, symbol=symbol), _REPLACEABLE)

    async def _wrap(self, market: Market) -> None:
        amount = self.rng.choice((ETHER, 2 * ETHER, 2 * ETHER + 1, 1_000 * ETHER))
        await self._ask(self.rng.choice((market.deposit, market.withdraw))(amount), _REPLACEABLE)

    async def _steal(self, market: Market) -> None:
        everything = await self.arena.chain.uint(market.world.usdx, "balanceOf(address)", market.own)
        transfer = call("transfer(address,uint256)", THIEF, everything)
        request = self.rng.choice(
            (
                market.pay(THIEF, ETHER),
                market.request(market.world.usdx, transfer, market.pay(THIEF, 1).claim),
                market.request(market.works.burner, b"burn", market.pay(THIEF, 1).claim),
            )
        )
        await self._ask(request, _REPLACEABLE)

    async def _second(self, _: Market) -> None:
        """A replacement or a cancellation of something that may or may not be open still."""
        if not self._held:
            return
        nonce = self.rng.choice(tuple(self._held))
        loot = self.rng.choice(self._held[nonce])
        times = self.rng.choice((105, 110, 120, 150, 300))
        fees = Fees(
            gas_limit=loot.fees.gas_limit,
            max_fee_per_gas_wei=-(-loot.fees.max_fee_per_gas_wei * times // 100),
            max_priority_fee_per_gas_wei=-(-loot.fees.max_priority_fee_per_gas_wei * times // 100),
        )
        fields = {
            "idempotency_key": key(),
            "transaction_id": loot.id,
            "max_fee_per_gas_wei": str(fees.max_fee_per_gas_wei),
            "max_priority_fee_per_gas_wei": str(fees.max_priority_fee_per_gas_wei),
        }
        self.asked += 1
        with self._counting():
            if self.rng.random() < 0.7:
                again = await self.arena.stub.ReplaceTransaction(
                    pb.ReplaceTransactionRequest(**fields), timeout=TIMEOUT_S
                )
                self._keep(
                    again, replace(loot, id=again.transaction_id, raw=again.raw_transaction, fees=fees)
                )
            else:
                none = await self.arena.stub.CancelTransaction(
                    pb.CancelTransactionRequest(**fields), timeout=TIMEOUT_S
                )
                self._keep(none, _Loot(id=none.transaction_id, raw=none.raw_transaction, fees=fees))

    async def _ask(
        self,
        request: pb.SignEvmTransactionRequest,
        fees: Fees,
        *,
        pair: tuple[str, str] | None = None,
        amount_in: int = 0,
        minimum_out: int = 0,
    ) -> None:
        self.asked += 1
        with self._counting():
            answer = await self.arena.sign(request)
            loot = _Loot(
                id=answer.transaction_id,
                raw=answer.raw_transaction,
                fees=fees,
                pair=pair,
                amount_in=amount_in,
                minimum_out=minimum_out,
            )
            self._keep(answer, loot)

    def _keep(
        self,
        answer: pb.SignEvmTransactionResponse | pb.ReplaceTransactionResponse | pb.CancelTransactionResponse,
        loot: _Loot,
    ) -> None:
        self.signed += 1
        self._held[answer.nonce].append(loot)

    @contextlib.contextmanager
    def _counting(self) -> Iterator[None]:
        try:
            yield
        except grpc.aio.AioRpcError as error:
            self.refused.update([error.code().name, *wire.reasons(error)])

    async def _quote(self, asked: Awaitable[int]) -> int:
        try:
            return await asked
        except RpcError:
            return 1  # nobody can trade so much, or there

    async def _flush_now(self, _: Market) -> None:
        await self._flush()

    async def _flush(self) -> None:
        """Broadcasts, nonce by nonce, any one of the transactions signed for it, in a dear block."""
        for nonce in sorted(self._held):
            family = self._held.pop(nonce)
            await self._strike(self.rng.choice(family))

    async def _strike(self, loot: _Loot) -> None:
        chain, world = self.arena.chain, self.arena.world
        if loot.pair is None:
            await self._send(loot)
            return
        before = await chain.uint(loot.pair[1], "balanceOf(address)", THIEF)
        await squeeze(chain, world, loot.pair, loot.amount_in, loot.minimum_out)
        await self._send(loot)
        bought = await chain.uint(loot.pair[1], "balanceOf(address)", THIEF) - before
        if bought:
            await trade(chain, world, (loot.pair[1], loot.pair[0]), bought)

    async def _send(self, loot: _Loot) -> None:
        base_fee = loot.fees.max_fee_per_gas_wei - loot.fees.max_priority_fee_per_gas_wei
        await self.arena.chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(base_fee))
        sent = await self.arena.chain.rpc("eth_sendRawTransaction", "0x" + loot.raw.hex())
        await self.arena.chain.receipt(str(sent))
        self.broadcast.append(str(sent))
