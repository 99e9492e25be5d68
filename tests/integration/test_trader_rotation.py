"""A rotation of the account, on a real chain and database: the books follow it and close to the base unit."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from tests.fakes.books import rows
from tests.integration.trader_rig import Rig, trader_rig
from tests.integration.trader_rotation_rig import (
    revoke,
    rotation,
    sweep,
    sweep_coins,
    sweep_token,
)
from tests.testbed import abi
from tests.testbed.bed import Bed
from tests.testbed.uniswap import ETHER
from trader.domain.ids import WalletId, address_of
from trader.domain.moves import Standing
from trader.domain.orders import OrderState
from trader.engine.order_step import step
from trader.engine.reconcile import Reconciler
from trader.engine.rotation.mover import PATIENCE_MS, Mover
from trader.ports.move_store import MoveVerdict
from trader.ports.order_store import PortfolioLimits

STRANGER = "0x" + "99" * 20


@pytest_asyncio.fixture
async def rig(bed: Bed) -> AsyncIterator[Rig]:
    async with trader_rig(bed) as made:
        yield made


async def test_books_position_and_cooldown_go_over_to_the_successor(rig: Rig) -> None:
    turn = await rotation(rig)
    old, new = turn.old, turn.new
    bought = await rig.until(await rig.order())
    held = (await rig.store.positions(old, rig.usdx))[0]
    before = await turn.balances(old)
    rig.signer.rotate(old, new)
    begun = await turn.follow()
    await sweep(rig.bed, old, new)
    early = await turn.move()
    rig.signer.rotate(old, new, swept=True)
    booked = await turn.move()
    traders = rig_on(rig, new)
    cooling = replace(
        traders, desk=replace(traders.desk, config=replace(traders.desk.config, limits=COOLING))
    )
    refused = await cooling.until(await cooling.order())
    sold = await traders.until(await traders.order(amount=held.held, sell=True))

    assert bought.state is sold.state is OrderState.SETTLED
    assert begun.move is not None
    assert (early, booked) == (None, MoveVerdict.BOOKED)
    assert await rig.store.standing(old) == Standing(wallet=new)
    assert (refused.state, refused.reason) == (OrderState.REFUSED, "portfolio: cooldown")
    (record,) = await rig.store.moves(new)
    fees = sum(line.fee for line in record.lines)
    assert {line.asset: line.moved + line.left + line.fee for line in record.lines} == before
    assert {line.asset: line.left for line in record.lines if line.asset != rig.assets[0]} == {
        rig.usdx: 0,
        rig.weth: 0,
    }
    assert fees > 0
    (position,) = await rig.store.positions(new, rig.usdx)
    assert (position.held, position.cost) == (0, 0)
    assert position.realised == (sold.amount_received or 0) - held.cost
    await turn.assert_no_drift(old, new)


async def test_draining_ends_what_was_opening_and_leaves_nothing_reserved(rig: Rig) -> None:
    turn = await rotation(rig)
    flying = await rig.order()
    await rig.until(flying, OrderState.BROADCAST)
    asked = await rig.order(sell=True, amount=ETHER // 10)
    await rig.until(asked, OrderState.INTENT)
    opening = await rig.order(venue="uniswap_v3")
    rig.signer.rotate(turn.old, turn.new)
    await turn.follow()
    closed = [await rig.until(order) for order in (flying, asked, opening)]
    balances = await rig.store.balances(turn.old)

    assert closed[0].state is OrderState.SETTLED
    assert {order.state for order in closed[1:]} <= {OrderState.REFUSED, OrderState.EXPIRED}
    assert all(balance.reserved == 0 for balance in balances)
    await rig.assert_books_close()


async def test_a_question_that_the_signer_never_answered_ends_when_the_account_drains(rig: Rig) -> None:
    turn = await rotation(rig)
    order = await rig.order()
    await _until_asked(rig)
    rig.signer.rotate(turn.old, turn.new, state="retired")
    states = await rig.store.states()
    closed = await rig.until(order)

    assert OrderState.SIGN_REQUESTED in states
    assert closed.state is OrderState.EXPIRED
    assert "ACCOUNT_RETIRED" in (closed.reason or "")
    assert all(balance.reserved == 0 for balance in await rig.store.balances(turn.old))


async def test_a_rotation_that_was_over_before_the_trader_started_is_followed(rig: Rig) -> None:
    turn = await rotation(rig, empty=False)
    await rig.until(await rig.order())
    await sweep(rig.bed, turn.old, turn.new)
    rig.signer.rotate(turn.old, turn.new, state="retired")
    await turn.follow()
    booked = await turn.move()

    assert booked is MoveVerdict.BOOKED
    await turn.assert_no_drift(turn.old, turn.new)


async def test_two_rotations_in_a_row_are_followed_by_one_who_slept_through_both(rig: Rig) -> None:
    turn = await rotation(rig)
    third = rig.signer.hold(rig.bed.accounts[3])
    await sweep(rig.bed, turn.old, turn.new)
    await sweep(rig.bed, turn.new, third)
    rig.signer.rotate(turn.old, turn.new, state="retired")
    rig.signer.rotate(turn.new, third, state="retired")
    verdicts = []
    for _ in range(2):
        await turn.follow()
        verdicts.append(await turn.move())

    assert verdicts == [MoveVerdict.BOOKED] * 2
    assert (await rig.store.standing(turn.old)).wallet == third
    await turn.assert_no_drift(turn.old, turn.new, third)


async def test_a_rotation_that_is_turned_round_before_it_is_booked_comes_home(rig: Rig) -> None:
    turn = await rotation(rig)
    rig.signer.rotate(turn.old, turn.new)
    await turn.follow()
    await revoke(rig.bed, turn.old)
    await sweep_token(rig.bed, "USDX", turn.old, address_of(turn.new))
    await sweep_coins(rig.bed, turn.old, address_of(turn.new), leave_wei=ETHER)
    rig.signer.rotate(turn.old, None, state="active")
    rig.signer.rotate(turn.new, turn.old)
    turned = await turn.follow()
    await sweep(rig.bed, turn.new, turn.old)
    early = await turn.move()
    rig.signer.rotate(turn.new, turn.old, swept=True)
    booked = await turn.move()
    await turn.count_nonces()
    again = await rig.until(await rig.order())

    assert turned.move is not None
    assert turned.move.target == turn.old
    assert (early, booked) == (None, MoveVerdict.BOOKED)
    assert await rig.store.standing(turn.old) == Standing(wallet=turn.old)
    assert again.state is OrderState.SETTLED
    await turn.assert_no_drift(turn.old, turn.new)


async def test_a_rotation_back_ends_in_the_first_wallet_with_its_dust(rig: Rig) -> None:
    turn = await rotation(rig)
    for source, target in ((turn.old, turn.new), (turn.new, turn.old)):
        rig.signer.rotate(target, None, state="active")
        rig.signer.rotate(source, target)
        await turn.follow()
        await sweep(rig.bed, source, target)
        rig.signer.rotate(source, target, swept=True)
        assert await turn.move() is MoveVerdict.BOOKED
        await turn.assert_no_drift(turn.old, turn.new)
    await turn.count_nonces()
    again = await rig.until(await rig.order())

    assert await rig.store.standing(turn.old) == Standing(wallet=turn.old)
    assert (await rig.store.standing(turn.new)).wallet == turn.old
    assert again.state is OrderState.SETTLED
    assert len(await rig.store.moves(turn.old)) == 2


@pytest.mark.parametrize("stolen", ["USDX", "ETH"])
async def test_an_outflow_to_a_stranger_halts_the_wallet_with_the_figures(rig: Rig, stolen: str) -> None:
    turn = await rotation(rig)
    rig.signer.rotate(turn.old, turn.new)
    await turn.follow()
    if stolen == "ETH":
        await rig.bed.anvil.send(address_of(turn.old), STRANGER, value=5)
    else:
        await _give(rig, turn.old, stolen, 5)
    await sweep(rig.bed, turn.old, turn.new)
    rig.signer.rotate(turn.old, turn.new, swept=True)
    mover = await turn.mover()
    first = await mover.look()
    halted_at_once = await rig.store.halted()
    await rig.bed.anvil.mine()
    second = await mover.look()
    halted = await rig.store.halted()

    assert (first, second) == (None, None)
    assert halted_at_once == {}
    assert "-5 base units" in halted[turn.old]
    assert (await rig.store.standing(turn.old)).wallet == turn.old


async def test_a_claim_that_nothing_on_the_chain_bears_out_books_nothing(rig: Rig) -> None:
    turn = await rotation(rig)
    before = await rig.store.balances(turn.old)
    rig.signer.rotate(turn.old, turn.new, swept=True)
    await turn.follow()
    mover = await turn.mover()
    verdicts = [await mover.look()]
    rig.clock.advance_ms(PATIENCE_MS)
    await rig.bed.anvil.mine()
    verdicts.append(await mover.look())
    halted = await rig.store.halted()

    assert verdicts == [None, None]
    assert "said to be swept, still there" in halted[turn.old]
    assert await rig.store.balances(turn.old) == before
    assert await rig.store.balances(turn.new) == ()


async def test_a_halt_that_the_move_explains_ends_with_it_and_any_other_goes_over(rig: Rig) -> None:
    turn = await rotation(rig)
    await sweep(rig.bed, turn.old, turn.new)
    await rig.store.halt_wallet(turn.old, "books and chain differ at block 1", rig.clock.now())
    rig.signer.rotate(turn.old, turn.new, swept=True)
    await turn.follow()
    await turn.move()
    explained = await rig.store.halted()
    rig.signer.rotate(turn.old, None, state="active")
    await sweep(rig.bed, turn.new, turn.old)
    await rig.store.halt_wallet(turn.new, "a person said so", rig.clock.now())
    rig.signer.rotate(turn.new, turn.old, swept=True)
    await turn.follow()
    await turn.move()

    assert explained == {}
    assert await rig.store.halted() == {turn.old: "a person said so"}


async def test_a_difference_that_is_a_rotation_not_yet_told_halts_nothing(rig: Rig) -> None:
    turn = await rotation(rig)
    rig.signer.rotate(turn.old, turn.new)
    await sweep(rig.bed, turn.old, turn.new)
    reconciler = Reconciler(rig.desk, turn.old, rig.assets, every_ms=1)
    await reconciler.look(await reconciler.look({}))

    assert await rig.store.halted() == {}
    assert (await rig.store.standing(turn.old)).move is not None


async def test_of_two_traders_only_one_books_the_move(rig: Rig) -> None:
    turn = await rotation(rig)
    rig.signer.rotate(turn.old, turn.new)
    await turn.follow()
    await sweep(rig.bed, turn.old, turn.new)
    rig.signer.rotate(turn.old, turn.new, swept=True)
    movers: list[Mover] = [await turn.mover() for _ in range(4)]
    verdicts = await asyncio.gather(*(mover.look() for mover in movers))

    assert verdicts.count(MoveVerdict.BOOKED) == 1
    assert await rig.store.halted() == {}
    await turn.assert_no_drift(turn.old, turn.new)
    assert await rows(rig.bed.dsn, _OFF) == []


async def test_a_successor_that_held_something_before_opens_with_it(rig: Rig) -> None:
    turn = await rotation(rig, empty=False)
    await rig.bed.fund(address_of(turn.new), "USDX", 7)
    rig.signer.rotate(turn.old, turn.new)
    await turn.follow()
    await sweep(rig.bed, turn.old, turn.new)
    rig.signer.rotate(turn.old, turn.new, swept=True)
    await turn.move()
    openings = {row["asset"]: row["amount"] for row in await rows(rig.bed.dsn, _OPENINGS, turn.new)}

    assert openings[rig.usdx] == -7
    assert openings[rig.assets[0]] < 0
    await turn.assert_no_drift(turn.old, turn.new)


def rig_on(rig: Rig, wallet: WalletId) -> Rig:
    """The same rig, trading on another wallet."""
    rig.signer.wallet = wallet
    return rig


async def _until_asked(rig: Rig) -> None:
    """The approval's question is durable, and nobody asked it yet."""
    for _ in range(2):
        for claim in await rig.store.claim("asks", rig.clock.now(), 1, 10):
            await step(rig.desk, claim)
        rig.clock.advance_ms(rig.desk.config.lease_ms + 1)


async def _give(rig: Rig, wallet: WalletId, token: str, amount: int) -> None:
    data = abi.calldata("transfer(address,uint256)", STRANGER, amount)
    await rig.bed.anvil.send(address_of(wallet), rig.bed.world.token(token), data)


COOLING = PortfolioLimits(max_position={}, cooldown_ms=3_600_000)
_OFF = (
    "SELECT asset FROM ledger_entries WHERE account = 'equity/moved' GROUP BY asset HAVING sum(amount) <> 0"
)
_OPENINGS = "SELECT asset, amount FROM ledger_entries WHERE wallet = $1 AND account = 'equity/opening'"
