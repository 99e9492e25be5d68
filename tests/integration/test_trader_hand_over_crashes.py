"""SIGKILL of a trader after each call of a port while an order goes from one account to another: one trades.

All that a trader changes outside of its memory is such a call, and every method of the store is one database
transaction; so a crash before a call finds what one after the call before it finds. They are enumerated until
the second order has been handed over and is quoted: from there on it is any order.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from tests.fakes.fake_people import APPROVE
from tests.fakes.signer_server import signer_server
from tests.integration.books_again import BooksAgain, books_kept
from tests.integration.group_rig import GROUP, GroupRig, group_rig
from tests.integration.killed_lives import ENDED, KILLED, NEVER, Lives, lives
from tests.testbed.bed import Bed
from tests.testbed.figures import Figures
from tests.testbed.uniswap import USDX_UNIT
from trader.domain.ids import OrderId
from trader.domain.orders import OrderKind, OrderState
from trader.domain.time import UnixMs
from trader.engine.groups.hand_over import following_id

CHILD = Path(__file__).with_name("trader_hand_over_child.py")
LEASES_END_MS = 6_000  # and the draft of an approval is still fresh
HOT_MOST, LARGE = 1_000 * USDX_UNIT, 5_000 * USDX_UNIT


@dataclass(slots=True, kw_only=True)
class Scene:
    """An order of the device's account, which cannot sign by now; as often as it is wanted."""

    made: GroupRig
    books: BooksAgain
    order: OrderId
    socket: str
    folder: Path
    at: UnixMs
    snapshot: str

    async def again(self) -> None:
        """Books, chain and signer as they were at first."""
        anvil, signer = self.made.rig.bed.anvil, self.made.rig.signer
        assert await anvil.rpc("evm_revert", self.snapshot) is True
        self.snapshot = str(await anvil.rpc("evm_snapshot"))
        await self.books.again()
        signer._ledger.clear()
        signer.nonces.update(dict.fromkeys(signer.nonces, 0))

    @asynccontextmanager
    async def traders(self) -> AsyncIterator[Lives]:
        bed, rig = self.made.rig.bed, self.made.rig
        where = self.folder / "world.json"
        bed.world.save(where)
        arguments = (bed.anvil.url, str(where), bed.dsn, self.socket, GROUP, rig.usdx)
        async with lives(CHILD, *arguments, self.made.hot, self.made.device) as started:
            yield started

    async def assert_one_traded(self) -> None:
        orders = await self.made.until_all_closed()
        swaps = [order for order in orders if order.kind is OrderKind.SWAP]
        first, second = swaps
        assert first.state in {OrderState.EXPIRED, OrderState.REFUSED}
        assert (second.id, second.wallet) == (following_id(self.order), self.made.hot)
        assert (second.state, second.amount_in) == (OrderState.SETTLED, HOT_MOST), second.reason
        sent = [one.nonce for one in self.made.rig.signer.signed]
        assert sorted(sent) == [0, 1], "an approval and a swap of the hot account"
        await self.made.assert_both_books_close()


@pytest_asyncio.fixture
async def scene(bed: Bed, tmp_path: Path) -> AsyncIterator[Scene]:
    async with group_rig(bed) as made:
        signer = made.rig.signer
        signer.most[made.hot], signer.people.always = HOT_MOST, APPROVE
        order = await made.place(LARGE)
        assert order is not None
        signer.away[made.device] = "DEVICE_GONE"
        async with signer_server(signer, tmp_path) as socket, books_kept(bed.dsn) as books:
            yield Scene(
                made=made,
                books=books,
                order=order,
                socket=socket,
                folder=tmp_path,
                at=made.rig.clock.now(),
                snapshot=str(await bed.anvil.rpc("evm_snapshot")),
            )


@pytest.mark.timeout(600)  # a life is milliseconds, but there are many
async def test_a_trader_killed_after_any_call_of_a_hand_over_trades_once(
    scene: Scene, figures: Figures
) -> None:
    before = after = 0
    async with scene.traders() as traders:
        for number in count(1):
            await scene.again()
            assert await traders.live(f"{scene.at} {number}") == KILLED
            following = await scene.made.rig.store.get(following_id(scene.order))
            first = await scene.made.rig.get(scene.order)
            # Both, or neither: an order that ended without the next one would be lost.
            assert (first.state is OrderState.INTENT) == (following is None)
            # The leases of the dead one have to end before anybody else takes its orders.
            assert await traders.live(f"{scene.at + LEASES_END_MS} {NEVER}") == ENDED
            await scene.assert_one_traded()
            before, after = before + (following is None), after + (following is not None)
            if following is not None and following.state is not OrderState.INTENT:
                break

    assert before > 5
    assert after > 1
    figures("TRADER_KILLED_IN_A_HAND_OVER", "after each of", {"before it": before, "after it": after})
