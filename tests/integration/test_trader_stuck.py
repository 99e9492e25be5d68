"""Transactions that are not mined: replaced, cancelled after the deadline, dropped only on proof."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest_asyncio

from tests.fakes.fake_signer import sign_draft
from tests.integration.trader_rig import CHAIN, TRADER, Rig, trader_rig
from tests.testbed.anvil import CHAIN_ID
from tests.testbed.bed import Bed
from trader.domain.ids import address_of, native
from trader.domain.orders import Order, OrderState

SEND = "eth_sendRawTransaction"


@pytest_asyncio.fixture
async def rig(bed: Bed) -> AsyncIterator[Rig]:
    async with trader_rig(bed) as made:
        yield made


async def test_a_stuck_swap_is_replaced_above_geths_rule_and_whichever_is_mined_is_booked(rig: Rig) -> None:
    order = await _stuck(rig)
    rig.clock.advance_ms(31_000)
    for _ in range(10):
        await rig.look()
    await rig.bed.proxy.release()
    closed = await rig.until(order.id)

    assert closed.state is OrderState.SETTLED, closed.reason
    assert [signed.nonce for signed in rig.signer.signed] == [0, 1, 1]
    assert closed.transaction_hash == rig.signer.signed[2].transaction_hash
    original, replacement = rig.signer.drafts[1:]
    assert replacement.data == original.data
    assert replacement.max_fee_per_gas_wei * 8 >= original.max_fee_per_gas_wei * 9
    await rig.assert_books_close()


async def test_a_restart_in_between_finds_the_replacement_again(rig: Rig) -> None:
    order = await _stuck(rig)
    rig.clock.advance_ms(31_000)
    for _ in range(5):
        await rig.look()
    rig = rig.restart()
    await rig.bed.proxy.release()
    closed = await rig.until(order.id)

    assert closed.state is OrderState.SETTLED, closed.reason
    assert len(rig.signer.signed) == 3
    await rig.assert_books_close()


async def test_after_its_deadline_a_stuck_swap_is_cancelled_and_only_the_gas_is_gone(rig: Rig) -> None:
    order = await _stuck(rig)
    rig.clock.advance_ms(61_000)
    for _ in range(10):
        await rig.look()
    still_open = await rig.get(order.id)
    await rig.bed.proxy.release()
    closed = await rig.until(order.id)

    assert still_open.state in (OrderState.BROADCAST, OrderState.UNKNOWN)
    assert closed.state is OrderState.DROPPED
    assert closed.reason == "our own cancellation was mined"
    assert (closed.fee_paid_wei or 0) > 0
    assert (rig.signer.drafts[-1].data, rig.signer.drafts[-1].to) == (b"", rig.wallet.rpartition(":")[2])
    await rig.assert_books_close()


async def test_a_nonce_consumed_by_another_transaction_at_finality_is_proof(rig: Rig) -> None:
    order = await _stuck(rig)
    rig = rig.restart(stuck_after_ms=1, confirmations=None)
    foreign = replace(rig.signer.drafts[1], data=b"", to=address_of(rig.wallet), gas_limit=21_000)
    key = rig.bed.accounts[TRADER].private_key
    raw = sign_draft(foreign, 1, chain_id=CHAIN_ID, private_key=key)
    await rig.bed.anvil.rpc(SEND, "0x" + raw.hex())
    for _ in range(10):
        await rig.look()
    not_final = await rig.get(order.id)
    await rig.bed.anvil.mine(3)
    closed = await rig.until(order.id)

    assert not_final.state in (OrderState.BROADCAST, OrderState.UNKNOWN)
    assert closed.state is OrderState.DROPPED
    assert closed.reason == "the nonce was consumed by another transaction"
    balances = await rig.store.balances(rig.wallet)
    assert all(balance.reserved == 0 for balance in balances)
    assert native(CHAIN) in {balance.asset for balance in balances}


async def test_a_signer_that_saw_the_receipt_vetoes_the_drop(rig: Rig) -> None:
    order = await _stuck(rig)
    rig = rig.restart(stuck_after_ms=1)
    rig.signer.states[rig.signer.asked[-1]] = "mined"
    rig.bed.proxy.lie("eth_getTransactionCount", lambda _params, _true: hex(99))
    for _ in range(20):
        await rig.look()
    found = await rig.get(order.id)

    assert found.state in (OrderState.BROADCAST, OrderState.UNKNOWN)


async def test_a_reorganised_swap_is_sent_again_and_booked_once(rig: Rig) -> None:
    rig = rig.restart(confirmations=5)
    order = await rig.until(await rig.order(), OrderState.MINED)
    await rig.bed.anvil.rpc("anvil_reorg", 1, [])
    gone = await rig.until(order.id, OrderState.BROADCAST)
    rig = rig.restart(stuck_after_ms=10, max_replacements=0, confirmations=1)
    closed = await rig.until(order.id)

    assert gone.block_number is None
    assert closed.state is OrderState.SETTLED, closed.reason
    assert closed.transaction_hash == order.transaction_hash
    await rig.assert_books_close()


async def _stuck(rig: Rig) -> Order:
    """A swap in BROADCAST that no block includes; its approval is settled."""
    rig.bed.proxy.stick(rig.wallet.rpartition(":")[2], 1)
    return await rig.until(await rig.order(), OrderState.BROADCAST)
