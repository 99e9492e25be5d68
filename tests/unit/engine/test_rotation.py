"""Following a rotation with fakes: what the signer says begins a move, and only the chain ends it."""

import asyncio
from dataclasses import replace

import pytest

from tests.fakes.fake_signer import Script
from tests.fakes.trader_world import ASSET_IN, CHAIN, TOKEN_IN
from tests.testbed.accounts import dev_account
from tests.testbed.processes import until
from tests.unit.engine.conftest import Scene
from trader.domain.errors import SignerUnavailableError
from trader.domain.ids import OrderId, WalletId, address_of, native
from trader.domain.moves import Move, Standing
from trader.domain.orders import OrderState
from trader.engine.rotation.follow import Follower
from trader.engine.rotation.intent import Aim, aim_of, returned_to
from trader.engine.rotation.mover import PATIENCE_MS, Mover
from trader.engine.rotation.scopes import Scopes
from trader.engine.supervisor import Task
from trader.ports.chain import SentTransaction, TransferLog
from trader.ports.move_store import MoveVerdict
from trader.ports.signer import SignerAccount

OLD, NEW = WalletId(f"{CHAIN}:0x{'aa' * 20}"), WalletId(f"{CHAIN}:0x{'bb' * 20}")
ELSEWHERE = WalletId(f"eip155:1:0x{'bb' * 20}")
COIN = native(CHAIN)


def account(
    wallet: WalletId, state: str = "active", successor: WalletId | None = None, *, swept: bool = False
) -> SignerAccount:
    return SignerAccount(
        wallet=wallet, backend="dev", state=state, pause_reason="", successor=successor, swept=swept
    )


def move(target: WalletId = NEW) -> Move:
    return Move(id=1, wallet=OLD, other=NEW, target=target, from_block=0)


@pytest.mark.parametrize("state", ["draining", "retired", "paused"])
def test_the_books_follow_an_account_that_leaves_to_its_successor(state: str) -> None:
    assert aim_of(Standing(wallet=OLD), [account(OLD, state, NEW)]) == Aim(other=NEW, target=NEW)


@pytest.mark.parametrize(
    "ours",
    [
        account(OLD),
        account(OLD, "paused"),
        account(OLD, "active", NEW),
        account(OLD, "draining", OLD),
        account(OLD, "draining", ELSEWHERE),
        account(NEW, "draining", OLD),
    ],
    ids=["active", "paused", "named only", "itself", "another chain", "another account"],
)
def test_the_books_stay_where_nobody_leaves(ours: SignerAccount) -> None:
    assert aim_of(Standing(wallet=OLD), [ours]) is None


def test_an_abort_turns_the_move_that_is_under_way_round() -> None:
    accounts = [account(OLD), account(NEW, "draining", OLD)]

    assert aim_of(Standing(wallet=OLD, move=move()), accounts) == Aim(other=NEW, target=OLD)


def test_only_an_account_whose_move_is_not_booked_can_have_come_back() -> None:
    accounts = [account(OLD), account(NEW, "retired", OLD)]

    assert returned_to(OLD, accounts, ()) == Aim(other=NEW, target=OLD)
    assert returned_to(OLD, accounts, (NEW,)) is None


async def test_a_follower_writes_a_rotation_down_once(scene: Scene) -> None:
    successor = scene.signer.hold(dev_account(2))
    follower = Follower(scene.desk, scene.signer.wallet, every_ms=1)
    await follower.look()
    before = dict(scene.store.under_way)
    scene.signer.rotate(scene.signer.wallet, successor)
    await follower.look()
    begun = (await scene.store.standing(scene.signer.wallet)).move
    await follower.look()

    assert before == {}
    assert begun is not None
    assert begun.target == successor
    assert (await scene.store.standing(scene.signer.wallet)).move == begun


async def test_a_follower_hears_of_a_change_before_its_pause_is_over(scene: Scene) -> None:
    successor, stop = scene.signer.hold(dev_account(2)), asyncio.Event()
    running = asyncio.create_task(Follower(scene.desk, scene.signer.wallet, every_ms=3_600_000).run(stop))
    await asyncio.sleep(0.01)
    scene.signer.rotate(scene.signer.wallet, successor)
    await until(lambda: _begun(scene), what="the rotation is written down")
    stop.set()
    await running

    assert scene.store.under_way[scene.signer.wallet].target == successor


async def test_a_move_is_booked_only_when_the_signer_says_so_and_the_chain_agrees(scene: Scene) -> None:
    mover = await _swept(scene)
    early = await mover.look()
    scene.signer.rotate(scene.signer.wallet, _new(scene), swept=True)
    booked = await mover.look()

    assert (early, booked) == (None, MoveVerdict.BOOKED)
    ((_, settlement),) = scene.store.booked
    assert settlement.of(_new(scene)).moved == {COIN: 900}
    assert settlement.of(scene.signer.wallet).fees == {COIN: 21_000}


async def test_a_token_that_only_the_books_name_moves_too(scene: Scene) -> None:
    mover = await _swept(scene)
    old, new = address_of(scene.signer.wallet), address_of(_new(scene))
    scene.store.held[scene.signer.wallet][ASSET_IN] = 5
    scene.chain.tokens = {(TOKEN_IN, new): 5}
    arrived = TransferLog(token=TOKEN_IN, sender=old, recipient=new, amount=5)
    scene.chain.receipts["0xsweep"] = replace(scene.chain.receipts["0xsweep"], transfers=(arrived,))
    scene.signer.rotate(scene.signer.wallet, _new(scene), swept=True)

    assert await mover.look() is MoveVerdict.BOOKED
    ((_, settlement),) = scene.store.booked
    assert settlement.of(_new(scene)).moved == {COIN: 900, ASSET_IN: 5}


async def test_a_gap_halts_at_the_second_block_that_shows_it(scene: Scene) -> None:
    mover = await _swept(scene)
    scene.chain.coins[address_of(scene.signer.wallet)] -= 1
    await mover.look()
    await mover.look()
    same_block = dict(scene.store.halts)
    scene.chain.number += 1
    await mover.look()

    assert same_block == {}
    assert "-1 base units" in scene.store.halts[scene.signer.wallet]


async def test_what_a_retired_account_keeps_is_booked_after_a_while(scene: Scene) -> None:
    config = replace(scene.desk.config, max_fee_per_gas_wei=0)  # one wei is more than dust
    await _swept(scene)
    under_way = scene.store.under_way[scene.signer.wallet]
    mover = Mover(replace(scene.desk, config=config), under_way, [COIN], every_ms=1)
    scene.signer.rotate(scene.signer.wallet, _new(scene), state="retired")
    first = await mover.look()
    scene.clock.advance_ms(PATIENCE_MS)
    scene.chain.number += 1
    second = await mover.look()

    assert (first, second) == (None, MoveVerdict.BOOKED)
    assert scene.store.halts == {}


async def test_a_source_that_has_sent_more_since_the_final_block_is_waited_for(scene: Scene) -> None:
    mover = await _swept(scene)
    scene.signer.rotate(scene.signer.wallet, _new(scene), swept=True)
    scene.chain.counts_by_block[scene.chain.number] = 9

    assert await mover.look() is None
    assert scene.store.booked == []


async def test_a_question_to_a_draining_account_ends_refused(scene: Scene) -> None:
    order = await _asked(scene)
    scene.signer.rotate(scene.signer.wallet, _new(scene))
    state = await scene.state_after(order)

    assert state is OrderState.REFUSED
    assert "ACCOUNT_DRAINING" in (scene.store.rows[order].reason or "")


async def test_a_signature_that_was_lost_before_the_drain_goes_on(scene: Scene) -> None:
    order = await _asked(scene)
    scene.signer.script(Script.CUT_AFTER)
    with pytest.raises(SignerUnavailableError, match="cut after signing"):
        await scene.step(order)
    scene.signer.rotate(scene.signer.wallet, _new(scene))

    assert await scene.state_after(order) is OrderState.SIGNED


async def test_tasks_of_a_wallet_end_together_when_the_books_stand_elsewhere(scene: Scene) -> None:
    stop, seen = asyncio.Event(), asyncio.Queue[Standing]()

    def tasks_of(standing: Standing) -> dict[str, Task]:
        async def task(turn: asyncio.Event) -> None:
            seen.put_nowait(standing)
            await turn.wait()

        return {"one": task}

    running = asyncio.create_task(
        Scopes(scene.desk, scene.signer.wallet, tasks_of, every_ms=1, stop_within_ms=1_000).run(stop)
    )
    first = await seen.get()
    scene.store.successors[scene.signer.wallet] = NEW
    second = await seen.get()
    stop.set()
    await running

    assert (first.wallet, second.wallet) == (scene.signer.wallet, NEW)


async def _begun(scene: Scene) -> bool:
    return bool(scene.store.under_way)


def _new(scene: Scene) -> WalletId:
    return next(wallet for wallet in scene.signer.listed if wallet != scene.signer.wallet)


async def _asked(scene: Scene) -> OrderId:
    """A swap whose question is durable, at a signer with a second account."""
    scene.signer.hold(dev_account(2))
    order = await scene.order()
    await scene.until(order, OrderState.SIGN_REQUESTED)
    return order


async def _swept(scene: Scene) -> Mover:
    """A sweep of 900 wei cost 21 000 and left 100 of 22 000, in a final block."""
    old, new = scene.signer.wallet, scene.signer.hold(dev_account(2))
    scene.store.held[old] = {COIN: 22_000}
    sweep = SentTransaction(
        transaction_hash="0xsweep",
        sender=address_of(old),
        recipient=address_of(new),
        nonce=0,
        value_wei=900,
    )
    scene.chain.blocks[5] = [sweep]
    scene.chain.mine("0xsweep", block=5)
    scene.chain.coins = {address_of(old): 100, address_of(new): 900}
    scene.signer.rotate(old, new)
    await Follower(scene.desk, old, every_ms=1).look()
    under_way = (await scene.store.standing(old)).move
    assert under_way is not None
    return Mover(scene.desk, under_way, [COIN], every_ms=1)
