"""People and devices against a trader that was taken over, and against moments that nobody planned for."""

import asyncio
from dataclasses import replace

import pytest

from signer.api.translate import approvals as wire_approvals
from signer.domain.accounts import AccountId, Address, address_of
from signer.domain.actions import Erc20Transfer, Swap
from signer.domain.chain import Head, ReferenceQuote
from signer.domain.decisions import Denied
from signer.domain.errors import PreconditionError, RejectedError, UnavailableError
from signer.domain.reasons import DenyReason, FailReason
from signer.domain.records import TransactionRecord
from signer.domain.rotation import ROTATION_CLIENT
from signer.domain.slots import TransactionKind
from signer.domain.time import UnixMs
from signer.domain.transactions import ClientName, IdempotencyKey, TransactionId
from signer.service.approvals.approval import Approval, Wanted
from signer.service.approvals.approvals import WAITING_MAX, Approvals
from signer.service.cancel_transaction import GivenUp
from tests.fakes import policies
from tests.fakes.signer_world import ACCOUNT, ADMIN, TRADER, own_swap, sign_request, signer_world
from tests.fakes.wallet_world import COLD, HOT, WARM, policy_text, wallet_world
from tests.fakes.wallet_world import TRADER as WALLET_TRADER
from tests.unit.service.test_attend import Desk, desk, patient_swap
from tests.unit.service.test_take_over_nonce import bump
from tests.unit.service.test_wallets import TOP_UP

OTHER = AccountId(f"eip155:31337:0x{'22' * 20}")
HONEST = replace(TRADER, name=ClientName("spiffe://test/honest"))


def drain_step(there: Desk) -> Wanted:
    """What a rotation asks a person for."""
    return Wanted(
        id=TransactionId("d" * 32),
        account=ACCOUNT,
        wallet="hot",
        client=ROTATION_CLIENT,
        idempotency_key=IdempotencyKey("a-step-of-a-drain"),
        method="RotateAccount",
        kind=TransactionKind.ORIGINAL,
        device=there.device,
        asked_at=UnixMs(policies.NOW),
        ends_at=UnixMs(policies.NOW + 90_000),
        policy_hash="",
    )


async def test_a_trader_cannot_give_up_the_step_of_a_drain() -> None:
    async with desk() as there:
        wanted = drain_step(there)
        with there.world.services.approvals.entered(wanted) as approval:
            with pytest.raises(PreconditionError, match="rotation"):
                await there.world.services.cancel_transaction(TRADER, bump("cancel-0000000000", wanted.id))

            approval.require_wanted()


async def test_a_pause_during_the_last_look_destroys_the_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    async with signer_world() as world:

        async def slow() -> None:
            world.clock.advance_s(3)

        async def quote(swap: Swap, via: Address, head: Head) -> ReferenceQuote | None:
            if world.backend.signed:
                await world.services.pause(ADMIN, ACCOUNT, "drill")
            return await at_once(swap, via, head)

        world.backend.before, at_once = slow, world.reference.quote
        monkeypatch.setattr(world.reference, "quote", quote)
        request = sign_request("key-0000000000000001")

        with pytest.raises(PreconditionError, match="drill"):
            await world.services.sign_evm_transaction(TRADER, request)
        assert len(world.backend.signed) == 1
        assert await world.ledger.find(TRADER.name, request.idempotency_key) is None


async def test_one_account_that_cannot_be_paused_durably_keeps_no_other_one_signing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with wallet_world() as world:
        asked = asyncio.ensure_future(world.services.sign_evm_transaction(WALLET_TRADER, world.request(COLD)))
        await world.until(lambda: bool(world.desk.shown))
        durably = world.ledger.pause

        async def pause(account: AccountId, reason: str, now: UnixMs) -> None:
            if account == HOT:
                raise UnavailableError(FailReason.CHAIN_UNREACHABLE, "its node is away")
            await durably(account, reason, now)

        monkeypatch.setattr(world.ledger, "pause", pause)
        with pytest.raises(UnavailableError, match="its node is away"):
            await world.services.pause(ADMIN, None, "drill")

        assert not any(world.services.accounts.signs(each) for each in (HOT, WARM, COLD))
        with pytest.raises(PreconditionError, match="drill"):
            await asked
        assert world.desk.taken_off == 1
        assert [record.method for record in world.audit.records][-1] == "Pause"


async def test_a_top_up_is_destroyed_when_its_recipient_was_paused_while_the_person_read() -> None:
    action = Erc20Transfer(token=policies.WETH, recipient=address_of(HOT), amount=500)
    async with wallet_world(policy=policy_text() + TOP_UP) as world:
        asked = asyncio.ensure_future(
            world.services.sign_evm_transaction(WALLET_TRADER, world.request(COLD, action))
        )
        await world.until(lambda: bool(world.desk.shown))
        await world.services.pause(ADMIN, HOT, "stolen?")
        world.desk.press()

        with pytest.raises(PreconditionError, match="stolen"):
            await asked
        status = await world.ledger.account(COLD)
        assert status is not None
        assert status.next_nonce == 0


async def test_no_minimum_of_a_trader_blinds_the_operators() -> None:
    """Slippage against the reference is then a number that the wire has no room for."""
    async with desk() as there:
        asked = there.ask(0, own_swap(deadline=patient_swap().deadline, minimum_out=2**255))
        await there.until(lambda: any(view.brief is not None for view in there.waiting))

        (view,) = there.waiting
        assert wire_approvals.approval(view).slippage_bps < 0

        there.device.press(RejectedError(DenyReason.REJECTED_ON_DEVICE, "no"))
        assert isinstance(await asked, Denied)


async def test_a_client_that_fills_its_queue_leaves_room_and_turns_to_others() -> None:
    async with desk() as there:
        flood = [there.ask(number) for number in range(WAITING_MAX)]
        await there.until(lambda: len(there.waiting) == WAITING_MAX)
        await there.shown()
        request = sign_request("key-of-the-honest", patient_swap())
        honest = asyncio.ensure_future(there.world.services.sign_evm_transaction(HONEST, request))
        await there.until(
            lambda: (len(there.waiting), there.waiting[-1].message) == (WAITING_MAX + 1, "1 before this one")
        )

        assert there.waiting[1].message == "2 before this one"
        for number in range(2):
            await there.shown(number + 1)
            there.device.press()
        assert isinstance(await honest, TransactionRecord)
        assert sum(each.done() for each in flood) == 1
        there.world.services.approvals.close()
        await asyncio.gather(*flood, return_exceptions=True)


async def test_the_step_of_a_drain_takes_what_clients_want_of_the_account_off_the_device() -> None:
    async with desk() as there:
        flood = [there.ask(number) for number in range(WAITING_MAX)]
        await there.until(lambda: len(there.waiting) == WAITING_MAX)
        await there.shown()
        approvals = there.world.services.approvals
        with approvals.entered(drain_step(there)) as approval:
            await _has_turn(approvals, approval)

            for asked in flood:
                with pytest.raises(PreconditionError, match="rotated out"):
                    await asked
        assert (len(there.device.shown), there.device.taken_off) == (1, 1)


async def test_the_step_of_a_drain_goes_before_what_is_queued_for_other_accounts() -> None:
    async with desk() as there:
        flood = [there.ask(number) for number in range(3)]
        await there.shown()
        approvals = there.world.services.approvals
        with approvals.entered(replace(drain_step(there), account=OTHER)) as approval:
            taking = asyncio.ensure_future(_has_turn(approvals, approval))
            await there.until(lambda: "1 before" in approval.view().message)
            there.device.press()

            await taking
        approvals.close()
        await asyncio.gather(*flood, return_exceptions=True)


async def test_a_turn_that_was_given_to_a_request_in_the_moment_of_its_end_goes_to_the_next() -> None:
    async with desk() as there:
        first, second, third = (there.ask(number) for number in range(3))
        await there.until(lambda: len(there.waiting) == 3)
        await there.shown()
        gone = there.world.services.approvals.find(there.id(1))
        assert gone is not None
        there.device.press()
        await first
        gone.end(RejectedError(DenyReason.GIVEN_UP, "in the same moment"))
        await there.until(lambda: len(there.device.shown) >= 2)
        await there.until(second.done)
        await there.until(lambda: there.device.busy)
        there.device.press()

        assert isinstance(await third, TransactionRecord)


async def _has_turn(approvals: Approvals, approval: Approval) -> None:
    async with approvals.turn(approval):
        return


async def test_giving_up_twice_at_once_asks_nobody_for_a_cancellation() -> None:
    async with desk() as there:
        asked = there.ask(0)
        await there.shown()
        wanted = there.id(0)
        cancelling = [
            asyncio.ensure_future(there.world.services.cancel_transaction(TRADER, bump(key, wanted)))
            for key in ("cancel-0000000001", "cancel-0000000002")
        ]

        answers = await asyncio.gather(*cancelling)

        assert answers == [GivenUp(transaction=wanted)] * 2
        assert isinstance(await asked, Denied)
