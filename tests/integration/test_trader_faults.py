"""Lost answers and lies of node and signer: nothing is sent twice, nothing ends without proof."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fakes.fake_signer import Script
from tests.integration.trader_rig import Rig, trader_rig
from tests.testbed.bed import Bed
from tests.testbed.faults import (
    DropAfter,
    DropBefore,
    Fault,
    Hang,
    HtmlBody,
    NullResult,
    Refuse,
    Status,
    Swallow,
    WrongHash,
)
from tests.testbed.uniswap import USDX_UNIT
from trader.domain.orders import OrderState

SEND = "eth_sendRawTransaction"
READS = ["eth_getBlockByNumber", "eth_call", "eth_maxPriorityFeePerGas", "eth_getTransactionReceipt"]


@pytest_asyncio.fixture
async def rig(bed: Bed) -> AsyncIterator[Rig]:
    async with trader_rig(bed) as made:
        yield made


@pytest.mark.parametrize(
    "fault",
    [
        DropBefore(),
        DropAfter(),
        Hang(),
        HtmlBody(),
        NullResult(),
        WrongHash(),
        Swallow(),
        Status(429, 1),
        Status(503),
        Refuse(-32000, "already known"),
        Refuse(-32000, "nonce too low"),
        Refuse(-32603, "internal error"),
        Refuse(-32000, "insufficient funds for gas * price + value"),
    ],
    ids=str,
)
async def test_whatever_the_node_says_to_a_broadcast_the_swap_is_mined_once(rig: Rig, fault: Fault) -> None:
    rig = rig.restart(
        stuck_after_ms=50, max_replacements=0
    )  # soon enough for what the node only pretends to keep
    order = await rig.order()
    rig.bed.proxy.fault(SEND, fault, times=2)  # one for the approval, one for the swap
    closed = await rig.until(order)

    assert closed.state is OrderState.SETTLED, closed.reason
    assert closed.amount_spent == 1_000 * USDX_UNIT
    assert await rig.swaps_on_chain() == 2
    await rig.assert_books_close()


@pytest.mark.parametrize("fault", [DropBefore(), DropAfter(), Hang(), HtmlBody(), Status(503)], ids=str)
@pytest.mark.parametrize("method", READS)
async def test_a_read_that_fails_for_a_while_only_delays(rig: Rig, method: str, fault: Fault) -> None:
    order = await rig.order()
    rig.bed.proxy.fault(method, fault, times=4)  # more than the client repeats by itself
    closed = await rig.until(order)

    assert closed.state is OrderState.SETTLED, closed.reason
    assert await rig.swaps_on_chain() == 2
    await rig.assert_books_close()


async def test_a_node_that_hides_receipts_delays_and_is_never_proof(rig: Rig) -> None:
    rig = rig.restart(stuck_after_ms=50)
    rig.bed.proxy.fault("eth_getTransactionReceipt", NullResult(), times=None)
    order = await rig.order()
    for _ in range(60):
        await rig.look()
    hidden = await rig.get(order)
    rig.bed.proxy.clear()
    closed = await rig.until(order)

    assert hidden.state not in (OrderState.DROPPED, OrderState.SETTLED)
    assert closed.state in (OrderState.SETTLED, OrderState.EXPIRED), closed.reason


@pytest.mark.parametrize("script", [Script.CUT_BEFORE, Script.CUT_AFTER, Script.PAUSED])
async def test_a_lost_answer_of_the_signer_is_asked_again_under_the_same_key(
    rig: Rig, script: Script
) -> None:
    rig.signer.script(script, script, script)
    closed = await rig.until(await rig.order())

    assert closed.state is OrderState.SETTLED, closed.reason
    assert len(rig.signer.signed) == 2
    assert len(set(rig.signer.asked)) == 2
    assert await rig.swaps_on_chain() == 2
    await rig.assert_books_close()


async def test_a_denial_of_the_swap_itself_returns_the_funds(rig: Rig) -> None:
    order = await rig.order()
    while not rig.signer.signed:
        await rig.look()
    rig.signer.script(Script.DENY)
    closed = await rig.until(order)

    assert closed.state is OrderState.REFUSED
    assert (closed.reason or "").startswith("SLIPPAGE_TOO_HIGH")
    assert all(balance.reserved == 0 for balance in await rig.store.balances(rig.wallet))
    await rig.assert_books_close()
