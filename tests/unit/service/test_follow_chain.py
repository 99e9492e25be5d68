"""What the signer concludes from the chain, and when it stops an account instead."""

import asyncio
from contextlib import aclosing

from signer.domain.accounts import AccountState
from signer.domain.budget import FEE, token_resource
from signer.domain.events import Cursor, TransactionEvent
from signer.domain.records import TransactionRecord
from signer.domain.slots import SlotState
from signer.domain.transactions import TransactionId
from signer.service.accounts import AccountView
from tests.fakes import policies
from tests.fakes.signer_world import ACCOUNT, ADMIN, TRADER, SignerWorld, sign_request, signer_world
from tests.testbed.processes import until
from tests.unit.service.test_take_over_nonce import bump, original


async def state(world: SignerWorld, transaction: TransactionId) -> SlotState:
    return (await world.services.get_transaction(TRADER, transaction=transaction)).state


async def used(world: SignerWorld) -> dict[str, int]:
    budget = await world.services.get_budget(TRADER, ACCOUNT)
    return {str(line.limit.resource): line.used for line in budget.lines}


async def look(world: SignerWorld) -> None:
    await world.services.follow_chain.look(ACCOUNT)


def include(world: SignerWorld, record: TransactionRecord, *, block: int, reverted: bool = False) -> None:
    assert record.signed is not None
    world.chain.include(record.signed.hash, block=block, reverted=reverted, fee=1_234)
    world.chain.latest_count = record.nonce + 1


async def test_a_receipt_moves_the_slot_but_not_the_budget() -> None:
    async with signer_world() as world:
        record = await original(world)
        before = await used(world)
        include(world, record, block=99)

        await look(world)

        assert await state(world, record.id) is SlotState.MINED
        assert await used(world) == before


async def test_finality_settles_the_fee_and_keeps_what_was_spent() -> None:
    async with signer_world() as world:
        record = await original(world)
        include(world, record, block=85)
        world.chain.counts[90] = 1

        await look(world)

        assert await state(world, record.id) is SlotState.FINAL
        amounts = await used(world)
        assert amounts[FEE] == 1_234
        assert amounts[token_resource(policies.WETH)] == policies.SWAP.amount_in


async def test_a_final_revert_returns_the_tokens_budget() -> None:
    async with signer_world() as world:
        record = await original(world)
        include(world, record, block=85, reverted=True)

        await look(world)

        assert (await used(world))[token_resource(policies.WETH)] == 0


async def test_a_block_that_is_not_canonical_any_more_is_not_final() -> None:
    async with signer_world() as world:
        record = await original(world)
        include(world, record, block=85)
        world.chain.hashes[85] = "0xother"

        await look(world)

        assert await state(world, record.id) is SlotState.MINED


async def test_a_reorganisation_takes_the_receipt_back() -> None:
    async with signer_world() as world:
        record = await original(world)
        include(world, record, block=99)
        await look(world)
        world.chain.receipts.clear()
        world.chain.latest_count = 0

        await look(world)

        assert await state(world, record.id) is SlotState.BROADCAST


async def test_a_final_cancellation_cancels_the_original() -> None:
    async with signer_world() as world:
        first = await original(world)
        second = await world.services.cancel_transaction(TRADER, bump("bump-000000000000", first.id))
        assert isinstance(second, TransactionRecord)
        include(world, second, block=85)

        await look(world)

        assert await state(world, first.id) is SlotState.CANCELLED
        assert await state(world, second.id) is SlotState.FINAL
        assert (await used(world))[token_resource(policies.WETH)] == 0


async def test_a_final_replacement_replaces_the_original() -> None:
    async with signer_world() as world:
        first = await original(world)
        second = await world.services.replace_transaction(TRADER, bump("bump-000000000000", first.id))
        assert isinstance(second, TransactionRecord)
        include(world, second, block=85)

        await look(world)

        assert await state(world, first.id) is SlotState.REPLACED
        assert (await used(world))[token_resource(policies.WETH)] == policies.SWAP.amount_in


async def test_an_unseen_receipt_changes_nothing_before_finality() -> None:
    async with signer_world() as world:
        record = await original(world)
        world.chain.latest_count = 1

        await look(world)

        assert await state(world, record.id) is SlotState.SIGNED
        assert world.services.accounts.signs(ACCOUNT)


async def test_a_nonce_used_by_somebody_else_pauses_the_account_with_the_reason() -> None:
    async with signer_world() as world:
        record = await original(world)
        world.chain.latest_count = world.chain.counts[90] = 1

        await look(world)

        assert await state(world, record.id) is SlotState.REPLACED
        view = world.services.accounts.view(ACCOUNT)
        assert view.state is AccountState.PAUSED
        assert "nonce 0 was consumed by a transaction that was not signed here" in view.reason


async def test_a_count_above_the_ledgers_pauses_and_reconciliation_takes_it_over() -> None:
    async with signer_world() as world:
        await world.services.accounts.ensure_open(ACCOUNT)
        world.chain.latest_count = 5
        await look(world)
        assert not world.services.accounts.signs(ACCOUNT)

        report = await world.services.reconcile_nonces(ADMIN, ACCOUNT, apply=True)
        assert report.applied
        assert report.ledger_next_nonce == 5
        await world.services.resume(ADMIN, ACCOUNT)

        assert (await original(world)).nonce == 5


async def test_a_count_that_went_back_pauses() -> None:
    async with signer_world() as world:
        record = await original(world)
        include(world, record, block=85)
        world.chain.counts[90] = 1
        await look(world)
        world.chain.counts[90] = 0

        await look(world)

        assert "went back from 1 to 0" in world.services.accounts.view(ACCOUNT).reason


async def test_a_watcher_hears_every_step_from_its_cursor_on() -> None:
    async with signer_world() as world:
        record = await original(world)
        include(world, record, block=85)
        await look(world)

        async with aclosing(world.services.watch_transactions(TRADER, None, Cursor(0))) as changes:
            heard = []
            async for change in changes:
                assert isinstance(change, TransactionEvent)
                heard.append(change.state)
                if change.state is SlotState.FINAL:
                    break

        assert heard == [SlotState.RESERVED, SlotState.SIGNED, SlotState.FINAL]


async def test_a_watcher_hears_of_a_pause() -> None:
    async with signer_world() as world:
        await world.services.accounts.ensure_open(ACCOUNT)
        async with aclosing(world.services.watch_transactions(TRADER, ACCOUNT, None)) as changes:
            waiting = asyncio.ensure_future(anext(changes))
            await asyncio.sleep(0.05)
            await world.services.pause(ADMIN, ACCOUNT, "drill")
            change = await waiting

        assert isinstance(change, AccountView)
        assert change.state is AccountState.PAUSED
        assert change.reason == "drill"


async def is_final(world: SignerWorld, record: TransactionRecord) -> bool:
    return await state(world, record.id) is SlotState.FINAL


async def test_following_survives_a_node_that_is_away() -> None:
    async with signer_world() as world:
        world.chain.away = True
        task = asyncio.create_task(world.services.follow_chain.run())
        await asyncio.sleep(0.05)
        world.chain.away = False
        record = await world.services.sign_evm_transaction(TRADER, sign_request("original-00000000"))
        assert isinstance(record, TransactionRecord)
        include(world, record, block=85)
        await until(lambda: is_final(world, record), what="the receipt is final")
        task.cancel()

        assert ("chain.not_seen", ACCOUNT) in [(name, f.get("account")) for name, f in world.log.events]
