"""Operators watch and end what waits for a person: only they, the whole picture, and nothing held up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from typing_extensions import override

from signer.domain.accounts import AccountId
from signer.domain.reasons import DenyReason
from signer.domain.records import TransactionRecord
from signer.domain.transactions import TransactionId
from signer.ports.device import DevicePhase, DeviceStatus
from signer.service import watch_approvals
from signer.service.approvals import looks
from signer.service.clients import NotGrantedError
from signer.service.watch_approvals import Picture
from tests.fakes.fake_device import FakeDevice
from tests.fakes.signer_world import ACCOUNT, ADMIN, TRADER, signer_world
from tests.unit.service.test_attend import Desk, desk


class Console:
    """Somebody who watches."""

    def __init__(self, pictures: "AsyncIterator[Picture]") -> None:
        self._pictures = pictures

    async def sees(self, **wanted: object) -> Picture:
        """The next picture in which `wanted` holds."""
        async with asyncio.timeout(60):
            while True:
                picture = await anext(self._pictures)
                if all(_holds(picture, name, value) for name, value in wanted.items()):
                    return picture


def _holds(picture: Picture, name: str, value: object) -> bool:
    match name:
        case "phases":
            return [view.phase for view in picture.approvals] == value
        case "explained":
            return [view.brief is not None for view in picture.approvals] == value
        case "verdicts":
            return [outcome.verdict for outcome in picture.outcomes] == value
        case "device":
            return [device.state for device in picture.devices] == value
        case "message":
            return [device.message for device in picture.devices] == value
        case _:
            assert name == "reason"
            return [view.reason for view in picture.accounts] == value


@asynccontextmanager
async def watching(there: Desk) -> AsyncIterator[Console]:
    async with aclosing(there.world.services.watch_approvals(ADMIN)) as pictures:
        yield Console(pictures)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_approvals, "_NOT_MORE_OFTEN_THAN_MS", 0)
    monkeypatch.setattr(looks, "_NOT_MORE_OFTEN_THAN_MS", 0)


async def test_the_picture_is_there_at_once_and_after_every_change() -> None:
    async with desk() as there, watching(there) as console:
        first = await console.sees()
        asked = there.ask(0)
        shown = await console.sees(phases=[DevicePhase.WAITING_FOR_CONFIRMATION], explained=[True])
        there.device.press()
        await asked
        last = await console.sees(verdicts=["signed"], phases=[])

        assert (first.approvals, [view.account.id for view in first.accounts]) == ((), [ACCOUNT])
        assert (shown.approvals[0].nonce, shown.approvals[0].screens[0].title) == (0, "Nonce")
        assert shown.devices[0].waiting == 1
        assert last.at == there.world.clock.now()


async def test_a_pause_is_seen() -> None:
    async with desk() as there, watching(there) as console:
        await console.sees()
        await there.world.services.pause(ADMIN, ACCOUNT, "drill")

        assert (await console.sees(reason=["drill"])).accounts[0].account.id == ACCOUNT


async def test_the_picture_comes_again_without_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_approvals, "_AT_LEAST_EVERY_MS", 10)
    async with desk() as there, watching(there) as console:
        await console.sees(device=["idle"])

        assert [(await console.sees()).approvals for _ in range(3)] == [(), (), ()]


async def test_a_trader_sees_nothing_of_it_and_dismisses_nothing() -> None:
    async with desk() as there:
        asked = there.ask(0)
        await there.shown()
        with pytest.raises(NotGrantedError):
            await anext(there.world.services.watch_approvals(TRADER))
        with pytest.raises(NotGrantedError):
            await there.world.services.dismiss_approval(TRADER, there.id(0), "")

        there.device.press()
        assert isinstance(await asked, TransactionRecord)


async def test_the_budget_that_is_told_is_what_was_used_before_the_request() -> None:
    async with desk() as there, watching(there) as console:
        first, second = there.ask(0), there.ask(1)
        await there.shown()
        there.device.press()
        await first
        await there.shown(2)
        # Explained on arrival, and again at its turn: then the first one counts, and it itself does not.
        picture = await console.sees(phases=[DevicePhase.WAITING_FOR_CONFIRMATION], explained=[True])
        there.device.press()
        await second

        brief = picture.approvals[0].brief
        assert brief is not None
        assert [use.used for use in brief.budget if use.limit.resource == "transactions"] == [1]


async def test_what_an_operator_dismisses_is_never_signed_and_the_client_hears_why() -> None:
    async with desk() as there:
        asked, behind = there.ask(0), there.ask(1)
        await there.shown()

        dismissed = await there.world.services.dismiss_approval(ADMIN, there.id(0), "who asked for this?")

        assert dismissed
        assert await there.reasons(asked) == (DenyReason.DISMISSED_BY_OPERATOR,)
        assert there.device.taken_off == 1
        await there.shown(2)
        assert await there.world.services.dismiss_approval(ADMIN, there.id(0), "")
        assert await there.reasons(behind) == (DenyReason.DISMISSED_BY_OPERATOR,)
        assert there.device.confirmed == []
        await there.nothing_is_held()


async def test_a_dismissal_is_in_the_trail_with_its_reason() -> None:
    async with desk() as there:
        asked = there.ask(0)
        await there.shown()
        approval = there.id(0)
        await there.world.services.dismiss_approval(ADMIN, approval, "drill")
        await asked

        act = next(each for each in there.world.audit.records if each.method == "DismissApproval")
        assert (act.client, act.account, act.details) == (ADMIN.name, ACCOUNT, (approval, "drill"))
        denied = next(each for each in there.world.audit.records if each.verdict == "denied")
        assert "DISMISSED_BY_OPERATOR" in denied.details[0]


async def test_what_does_not_wait_is_not_dismissed() -> None:
    async with desk() as there:
        asked = there.ask(0)
        await there.shown()
        approval = there.id(0)
        there.device.press()
        await asked

        assert not await there.world.services.dismiss_approval(ADMIN, approval, "")
        assert not await there.world.services.dismiss_approval(ADMIN, TransactionId("0" * 32), "")


async def test_nothing_is_asked_of_a_device_while_nobody_watches() -> None:
    device = _Looked()
    async with signer_world(keys=device) as world:
        there = Desk(world=world, device=device)
        assert device.looks == 0
        async with watching(there) as console:
            await console.sees(device=["idle"])
            assert device.looks > 0
        stopped_at = device.looks
        await world.services.pause(ADMIN, ACCOUNT, "rings every bell")
        await asyncio.sleep(0.02)

        assert device.looks == stopped_at


async def test_a_device_that_does_not_answer_holds_no_picture_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "_ANSWERS_WITHIN_S", 0.05)
    device = _Looked(mute=True)
    async with signer_world(keys=device) as world:
        there = Desk(world=world, device=device)
        async with watching(there) as console:
            first = await console.sees()
            silent = await console.sees(device=["unknown"])

            assert first.devices[0].message == "desk has not been looked at yet"
            assert not silent.devices[0].ready


async def test_a_device_that_breaks_the_look_is_told_and_logged() -> None:
    device = _Looked(broken=True)
    async with signer_world(keys=device) as world:
        there = Desk(world=world, device=device)
        async with watching(there) as console:
            picture = await console.sees(message=["desk could not be looked at; see the log"])

            assert not picture.devices[0].ready
            assert "device.look_broken" in [name for name, _ in world.log.events]


async def test_two_consoles_look_once_and_the_last_one_ends_it() -> None:
    device = _Looked()
    async with signer_world(keys=device) as world:
        there = Desk(world=world, device=device)
        async with watching(there) as one:
            await one.sees(device=["idle"])
            looked = device.looks
            async with watching(there) as other:
                assert [each.state for each in (await other.sees()).devices] == ["idle"]
                assert device.looks == looked
            await there.world.services.pause(ADMIN, ACCOUNT, "still watched")
            await one.sees(reason=["still watched"])


class _Looked(FakeDevice):
    """Counts looks; may be mute or broken."""

    def __init__(self, *, mute: bool = False, broken: bool = False) -> None:
        super().__init__()
        self.looks = 0
        self._mute, self._broken = mute, broken

    @override
    async def look(self, account: AccountId) -> DeviceStatus:
        self.looks += 1
        if self._broken:
            raise RuntimeError("a bug")
        if self._mute:
            await asyncio.Event().wait()
        return await super().look(account)
