"""What both sides wrote, beside what the chain says: orders, balances, slots, logs. Changes nothing."""

import asyncio
import contextlib
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass

from tests.e2e.scene import Scene
from tests.testbed.packages import Json
from tests.testbed.processes import until
from trader.adapters.postgres.order_store import PostgresOrderStore, open_order_store
from trader.domain.ids import AssetId, WalletId, chain_of, erc20, native, parse_address
from trader.domain.orders import CLOSED_STATES, Order, OrderKind, OrderState

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
DONE_SLOTS = {"final", "released", "replaced", "cancelled"}
_ALL = 100_000
_RESTING_BLOCKS = 6
_SYMBOLS = ("USDX", "ABC", "WETH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The trader's database, the signer's ledger and the chain of one scene."""

    scene: Scene
    store: PostgresOrderStore

    @property
    def wallet(self) -> WalletId:
        return WalletId(self.scene.signer.account)

    async def orders(self, *states: OrderState, kind: OrderKind | None = None) -> Sequence[Order]:
        """Orders in any of `states` (all, when none is named), newest first."""
        found = await self.store.orders(open_only=False, limit=_ALL)
        return [
            order
            for order in found
            if (not states or order.state in states) and (kind is None or order.kind is kind)
        ]

    async def until_settled(self, swaps: int, *, timeout_s: float = 90) -> None:
        """Wait until there are as many settled swaps on each of the two venues."""

        async def enough() -> bool:
            settled = await self.orders(OrderState.SETTLED, kind=OrderKind.SWAP)
            venues = Counter(order.venue for order in settled)
            return min(venues["uniswap_v2"], venues["uniswap_v3"]) >= swaps

        await until(enough, what=f"{swaps} swaps settle on each venue", timeout_s=timeout_s, every_s=0.1)

    async def until_closed(self, *, timeout_s: float = 120) -> Sequence[Order]:
        """Wait until no order is open, and none follows in the next blocks; returns all of them."""
        try:
            await until(self._at_rest, what="every order is closed", timeout_s=timeout_s, every_s=0.1)
        except TimeoutError:
            left = await self.store.orders(open_only=True, limit=50)
            words = [f"{order.kind} {order.id} {order.state}: {order.reason}" for order in left]
            raise AssertionError(f"still open: {words}") from None
        return await self.orders()

    async def assert_close(self) -> None:
        """To the wei: what the books say the wallet has is what it has. For a wallet at rest."""
        booked = await self.store.close_books(self.wallet)
        chain, bed = chain_of(self.wallet), self.scene.bed
        on_chain = {native(chain): await bed.balance(self.scene.signer.address, "ETH")}
        for symbol in _SYMBOLS:
            asset: AssetId = erc20(chain, parse_address(bed.world.token(symbol)))
            on_chain[asset] = await bed.balance(self.scene.signer.address, symbol)

        drift = {asset: on_chain.get(asset, 0) - booked.get(asset, 0) for asset in {*booked, *on_chain}}
        assert not any(drift.values()), drift

    async def assert_one_swap_each(self, *, foreign: Collection[int] = ()) -> None:
        """Every nonce of the wallet belongs to one order; its transfers are those of the settled swaps.

        `foreign` nonces were used by somebody else with the same key.
        """
        orders = await self.orders()
        nonces = [*foreign, *(order.nonce for order in orders if order.nonce is not None)]
        assert sorted(nonces) == list(range(await self.transaction_count()))
        settled = [order for order in orders if order.state is OrderState.SETTLED]
        swaps = {order.transaction_hash: order for order in settled if order.kind is OrderKind.SWAP}
        paid, got = await self._transfers(sender=True), await self._transfers(sender=False)
        assert {log_hash: len(logs) for log_hash, logs in paid.items()} == dict.fromkeys(swaps, 1)
        for transaction_hash, order in swaps.items():
            assert transaction_hash is not None
            assert paid[transaction_hash] == [(order.asset_in, order.amount_spent)]
            assert got[transaction_hash] == [(order.asset_out, order.amount_received)]
        for order in settled:
            assert order.fee_paid_wei == await self._fee(str(order.transaction_hash))

    async def blocks(self, more: int) -> None:
        """Wait until the chain is so many blocks longer."""
        anvil = self.scene.bed.anvil
        target = int(str((await anvil.head())["number"]), 16) + more

        async def longer() -> bool:
            return int(str((await anvil.head())["number"]), 16) >= target

        await until(longer, what=f"{more} blocks are mined", every_s=0.05)

    async def transaction_count(self) -> int:
        """How many transactions of the wallet are mined."""
        count = await self.scene.bed.anvil.rpc("eth_getTransactionCount", self.scene.signer.address, "latest")
        return int(str(count), 16)

    def slots(self) -> Sequence[tuple[str, int, str]]:
        """State, nonce and hash of every transaction of the signer's ledger."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self.scene.signer.ledger}?mode=ro", uri=True)
        ) as ledger:
            query = "SELECT state, nonce, coalesce(hash, '') FROM transactions ORDER BY seq"
            return [(str(state), int(nonce), str(tx_hash)) for state, nonce, tx_hash in ledger.execute(query)]

    async def until_final(self) -> None:
        """Wait until the signer saw the end of everything that it signed."""

        async def done() -> bool:
            return {state for state, _, _ in await asyncio.to_thread(self.slots)} <= DONE_SLOTS

        await until(done, what="every slot of the signer is final", timeout_s=60, every_s=0.1)

    async def _at_rest(self) -> bool:
        before = await self.orders()
        if not all(order.state in CLOSED_STATES for order in before):
            return False
        # The price rests, but its last move may not have been seen by every strategy yet.
        await self.blocks(_RESTING_BLOCKS)
        after = await self.orders()
        return len(after) == len(before) and all(order.state in CLOSED_STATES for order in after)

    async def _fee(self, transaction_hash: str) -> int:
        receipt = await self.scene.bed.anvil.receipt(transaction_hash)
        return int(str(receipt["gasUsed"]), 16) * int(str(receipt["effectiveGasPrice"]), 16)

    async def _transfers(self, *, sender: bool) -> dict[str, list[tuple[AssetId, int]]]:
        """Transfer logs of the wallet by transaction, without the funding at the beginning."""
        who = "0x" + self.scene.signer.address[2:].rjust(64, "0")
        topics: list[Json] = [TRANSFER, who] if sender else [TRANSFER, None, who]
        logs = await self.scene.bed.anvil.rpc("eth_getLogs", {"fromBlock": "0x0", "topics": topics})
        assert isinstance(logs, list)
        found: dict[str, list[tuple[AssetId, int]]] = {}
        for log in logs:
            assert isinstance(log, dict)
            asset = erc20(chain_of(self.wallet), parse_address(str(log["address"])))
            found.setdefault(str(log["transactionHash"]), []).append((asset, int(str(log["data"]), 16)))
        return found


@contextlib.asynccontextmanager
async def open_books(scene: Scene) -> AsyncIterator[Books]:
    """Connect to the trader's database, also before the trader's first start."""
    async with open_order_store(scene.bed.dsn, connections=2) as store:
        yield Books(scene=scene, store=store)
