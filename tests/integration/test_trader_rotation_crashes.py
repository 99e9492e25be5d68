"""SIGKILL of a trader after each call of a port while it follows a rotation: booked once, drift 0.

No call is left out: they are enumerated until a life ends by itself, and are as many as an undisturbed life
counts. All that a trader changes outside of its memory is such a call, and every method of the store is one
database transaction; so a crash before a call finds what one after the call before it finds.
"""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from tests.fakes.fake_signer import FakeSigner
from tests.fakes.signer_server import signer_server
from tests.integration.books_again import BooksAgain, books_kept
from tests.integration.killed_lives import ENDED, KILLED, NEVER, Lives, lives
from tests.integration.trader_rig import Rig, trader_rig
from tests.integration.trader_rotation_child import follow_to_the_end, told, trader
from tests.integration.trader_rotation_rig import TOKENS, revoke, rotation, sweep, sweep_token
from tests.testbed.bed import Bed
from tests.testbed.figures import Figures
from trader.adapters.postgres.order_store import PostgresOrderStore
from trader.domain.ids import AssetId, WalletId, address_of
from trader.domain.moves import Standing
from trader.domain.orders import Order, OrderKind, OrderState
from trader.domain.time import UnixMs
from trader.engine.desk import Desk
from trader.engine.order_step import step
from trader.engine.reconcile import chain_balances
from trader.engine.results import Wait

CHILD = Path(__file__).with_name("trader_rotation_child.py")
LEASES_END_MS = 20_000


@dataclass(slots=True, kw_only=True)
class Scene:
    """A rotation that has just begun, as often as it is wanted, with an order that is half open.

    An approval is in flight, and the swap that waits for it holds funds. `world_goes_on` is what happens
    while the trader waits: half of the sweeps, then the rest, then blocks.
    """

    bed: Bed
    books: BooksAgain
    desk: Desk
    signer: FakeSigner
    socket: str
    folder: Path
    old: WalletId
    new: WalletId
    assets: list[AssetId]
    at: UnixMs
    snapshot: str
    swept: int = 0

    async def again(self) -> None:
        """Books and chain as they were at first."""
        assert await self.bed.anvil.rpc("evm_revert", self.snapshot) is True
        self.snapshot = str(await self.bed.anvil.rpc("evm_snapshot"))
        await self.books.again()
        self.signer.rotate(self.old, self.new)
        self.swept = 0

    @asynccontextmanager
    async def traders(self) -> AsyncIterator[Lives]:
        where = self.folder / "world.json"
        self.bed.world.save(where)
        arguments = (self.bed.anvil.url, str(where), self.bed.dsn, self.socket, self.old, *self.assets)
        async with lives(CHILD, *arguments) as started:
            yield started

    async def live(self, traders: Lives, at: int, dies_after: int) -> str:
        """One life, for which the world goes on; how it ended."""
        answer = await traders.live(f"{at} {dies_after}")
        while answer == "waits":
            await self.world_goes_on()
            answer = await traders.live("go on")
        return answer

    async def world_goes_on(self) -> None:
        self.swept += 1
        if self.swept == 1:
            await revoke(self.bed, self.old)
            await sweep_token(self.bed, TOKENS[0], self.old, address_of(self.new))
        elif self.swept == 2:
            await sweep(self.bed, self.old, self.new)
            self.signer.rotate(self.old, self.new, swept=True)
        else:
            await self.bed.anvil.mine(1)


@pytest_asyncio.fixture
async def scene(bed: Bed, tmp_path: Path) -> AsyncIterator[Scene]:
    async with trader_rig(bed) as rig:
        turn = await rotation(rig)
        await _half_open(rig)
        old, assets, at = turn.old, rig.assets, rig.clock.now()
    async with (
        signer_server(rig.signer, tmp_path) as socket,
        books_kept(bed.dsn) as books,
        trader(bed.anvil.url, bed.world, bed.dsn, socket, at) as desk,
    ):
        yield Scene(
            bed=bed,
            books=books,
            desk=desk,
            signer=rig.signer,
            socket=socket,
            folder=tmp_path,
            old=old,
            new=turn.new,
            assets=assets,
            at=at,
            snapshot=str(await bed.anvil.rpc("evm_snapshot")),
        )


async def _half_open(rig: Rig) -> None:
    """Up to an approval that the node has, and of which nothing else is known yet."""
    await rig.order()
    (claim,) = await rig.store.claim("opening", rig.clock.now(), rig.desk.config.lease_ms, 1)
    while (claim.order.kind, claim.order.state) != (OrderKind.APPROVAL, OrderState.BROADCAST):
        result = await step(rig.desk, claim)
        if isinstance(result, Wait) and result.first is not None:
            # Later than the approval: the same one of them is looked at first in every life.
            await rig.store.let_go(result.claim, UnixMs(rig.clock.now() + 500))
            result = result.first
        assert not isinstance(result, Order)
        claim = result.claim if isinstance(result, Wait) else result
    await rig.store.let_go(claim, rig.clock.now())
    await rig.bed.anvil.receipt(str(claim.order.transaction_hash))


@pytest.mark.timeout(600)  # a life is milliseconds, but there are many
async def test_a_trader_killed_after_any_call_of_a_port_books_the_move_once(
    scene: Scene, figures: Figures
) -> None:
    calls = await _undisturbed(scene)
    async with scene.traders() as traders:
        for number in count(1):
            await scene.again()
            ended = await scene.live(traders, scene.at, number)
            if ended == ENDED:
                break
            assert ended == KILLED
            # The leases of the dead one have to end before anybody else takes its orders.
            assert await scene.live(traders, scene.at + LEASES_END_MS, NEVER) == ENDED
            await _assert_booked_once(scene)

    assert number - 1 == len(calls)
    assert {"store.begin_move", "store.book_move", "store.settle", "signer.accounts"} < set(calls)
    figures("TRADER_KILLED_IN_A_ROTATION", "after each of", {"calls": len(calls), "names": list(calls)})


async def _undisturbed(scene: Scene) -> list[str]:
    """The calls of a life that nobody ends."""
    calls: list[str] = []
    await scene.again()
    desk = told(scene.desk, calls.append)
    await follow_to_the_end(desk, scene.old, scene.assets, waits=scene.world_goes_on)
    await _assert_booked_once(scene)
    return calls


async def _assert_booked_once(scene: Scene) -> None:
    store, head = scene.desk.store, await scene.desk.chain.head()
    assert isinstance(store, PostgresOrderStore)
    assert await store.standing(scene.old) == Standing(wallet=scene.new)
    (move,) = await store.moves(scene.new)
    for wallet in (scene.old, scene.new):
        chain = await chain_balances(scene.desk, wallet, scene.assets, head.number)
        assert await store.close_books(wallet) == chain
    assert await store.halted() == {}
    # What `world_goes_on` sends: an allowance ends, twice; each token goes, and the coin.
    assert len(set(move.transactions)) == len(move.transactions) == len(TOKENS) + 3
    orders = await store.orders(open_only=False, limit=10)
    assert Counter((order.kind, order.state) for order in orders) == {
        (OrderKind.APPROVAL, OrderState.SETTLED): 1,
        (OrderKind.SWAP, OrderState.REFUSED): 1,
    }
