"""Fees, fills and beliefs: small pure functions with money in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.trader_world import ASSET_IN, ASSET_OUT, CONFIG, TOKEN_IN, TOKEN_OUT, FakeChain
from tests.unit.engine.conftest import Scene
from trader.domain.ids import Address, address_of
from trader.engine.fees import FeesTooHighError, bumped, current_fees
from trader.engine.fills import fill_of
from trader.ports.chain import Receipt, TransferLog
from trader.ports.venue import Fees

OTHER = Address("0x" + "99" * 20)


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.integers(0, 5))
def test_each_bump_is_above_the_pools_ten_percent_and_repeats_exactly(
    maximum: int, priority: int, times: int
) -> None:
    fees = Fees(max_fee_per_gas_wei=maximum, max_priority_fee_per_gas_wei=priority)
    before, after = bumped(fees, times), bumped(fees, times + 1)

    assert after.max_fee_per_gas_wei * 10 >= before.max_fee_per_gas_wei * 11
    assert after.max_priority_fee_per_gas_wei * 10 >= before.max_priority_fee_per_gas_wei * 11
    assert after == bumped(before, 1)


async def test_fees_leave_room_for_six_full_blocks_within_the_caps() -> None:
    chain = FakeChain()
    fees = await current_fees(chain, CONFIG)
    chain.base_fee_wei = 48_000_000_000
    capped = await current_fees(chain, CONFIG)
    chain.base_fee_wei = 49_500_000_000

    assert (fees.max_fee_per_gas_wei, fees.max_priority_fee_per_gas_wei) == (3_000_000_000, 1_000_000_000)
    assert capped.max_fee_per_gas_wei == CONFIG.max_fee_per_gas_wei
    with pytest.raises(FeesTooHighError):
        await current_fees(chain, CONFIG)


async def test_a_fill_is_the_net_of_the_transfer_logs_and_ignores_other_tokens(scene: Scene) -> None:
    order = scene.store.rows[await scene.order()]
    wallet = address_of(order.wallet)
    logs = [
        (TOKEN_IN, wallet, OTHER, 1_000),
        (TOKEN_IN, OTHER, wallet, 10),  # change given back
        (TOKEN_OUT, OTHER, wallet, 1_900),
        (TOKEN_OUT, wallet, wallet, 5),  # to itself: nothing
        (OTHER, OTHER, wallet, 10**30),  # a token that nobody asked for
    ]
    receipt = Receipt(
        transaction_hash="0x1",
        block_number=1,
        block_hash="0x2",
        reverted=False,
        fee_paid_wei=3,
        transfers=tuple(
            TransferLog(token=token, sender=sender, recipient=recipient, amount=amount)
            for token, sender, recipient, amount in logs
        ),
    )
    fill = fill_of(order, receipt)

    assert (order.asset_in, order.asset_out) == (ASSET_IN, ASSET_OUT)
    assert (fill.spent, fill.received, fill.fee_paid_wei) == (990, 1_900, 3)
