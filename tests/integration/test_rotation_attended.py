"""The drain of an account whose key is before a person: asked step by step, beside everything else."""

import asyncio
from collections.abc import Callable

import pytest

from signer.adapters.dev_key.backend import DevKey, DevKeyBackend
from signer.domain.accounts import AccountState
from signer.domain.errors import BrokenError, RejectedError, SignerError
from signer.domain.reasons import DenyReason, FailReason
from signer.service.rotation.rotate_account import RotationStep
from tests.fakes.fake_device import FakeDevice
from tests.integration.rotation_rig import ADMIN, NEW_ADDRESS, OLD, OLD_ADDRESS, RotationRig, rotation_rig
from tests.testbed.anvil import Anvil
from tests.testbed.uniswap import World

_TURNS = 60


def a_person() -> FakeDevice:
    return FakeDevice(inner=DevKeyBackend([DevKey(account=OLD, mnemonic_index=1)]))


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not so():  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.002)


async def begun(rig: RotationRig, person: FakeDevice) -> None:
    """The new key proves itself, which a person confirms, too."""
    await rig.fund()
    person.press()
    await rig.begin()


async def swept(rig: RotationRig, person: FakeDevice) -> None:
    for _ in range(_TURNS):
        seen = len(person.shown)
        await rig.turn()
        if rig.services.accounts.view(OLD).swept:
            return
        if person.busy or len(person.shown) > seen:
            person.press()
            await until(lambda: not rig.services.approvals.waiting())
        await asyncio.sleep(0.01)
        await rig.anvil.mine(1)
    raise AssertionError((await rig.rotate(RotationStep.STATUS), rig.log.events[-5:]))


async def test_a_person_confirms_every_step_of_a_drain_and_no_turn_waits_for_them(
    anvil: Anvil, world: World
) -> None:
    person = a_person()
    async with rotation_rig(anvil, world, keys=person) as rig:
        await begun(rig, person)

        await rig.turn()
        await until(lambda: person.busy)
        for _ in range(3):
            await rig.turn()  # would wait for ever if it waited for the person

        assert len(rig.services.approvals.waiting()) == 1
        await swept(rig, person)
        left = await rig.holdings(OLD_ADDRESS)
        assert {amount for symbol, amount in left.items() if symbol != "ETH"} == {0}
        assert (await rig.holdings(NEW_ADDRESS))["USDX"] > 0
        await rig.rotate(RotationStep.FINISH)
        assert rig.state(OLD) is AccountState.RETIRED


@pytest.mark.parametrize(
    ("end", "held"),
    [
        (RejectedError(DenyReason.REJECTED_ON_DEVICE, "the person said no"), "not confirmed"),
        (BrokenError(FailReason.SIGNATURE_INVALID, "signed by another key"), "another key"),
    ],
)
async def test_a_step_that_a_person_answered_in_vain_is_not_asked_again_until_somebody_resumes(
    anvil: Anvil, world: World, end: SignerError, held: str
) -> None:
    person = a_person()
    async with rotation_rig(anvil, world, keys=person) as rig:
        await begun(rig, person)
        await rig.turn()
        await until(lambda: person.busy)
        asked = len(person.shown)
        person.press(end)
        await until(lambda: bool(rig.services.accounts.view(OLD).reason))

        for _ in range(3):
            await rig.turn()
        assert len(person.shown) == asked
        assert held in rig.services.accounts.view(OLD).reason

        await rig.services.resume(ADMIN, OLD)
        await rig.turn()
        await until(lambda: person.busy)
        await swept(rig, person)
