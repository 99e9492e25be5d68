"""What a person does, on the double or on a real emulator whose buttons a command presses.

See `trezor_rig`: AIRLOCK_TREZOR_UDP, and AIRLOCK_TREZOR_PRESS, run as `command approve` or `command reject`
for each screen.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from signer.adapters.trezor_device.backend import TrezorBackend
from signer.adapters.trezor_device.device import TrezorDevice
from signer.decode.evm.envelope import signing_hash
from signer.decode.evm.recovery import recover_address
from signer.domain.accounts import address_of
from signer.domain.errors import RejectedError
from signer.domain.reasons import DenyReason
from signer.mock.devices.trezor.person import Press
from signer.ports.device import DevicePhase, DeviceProgress
from tests.integration.devices.trezor_rig import EMULATOR, EVM, IGNORE, KEYS, PRESS, rig, transaction

_SCREEN_S = 0.5  # an emulator draws its screen after it was announced


@dataclass(slots=True, kw_only=True)
class Desk:
    """A device and the hand before it. `screens` counts what it announced."""

    backend: TrezorBackend
    press: Callable[[str], Awaitable[None]]
    nonce: int = 0
    screens: "asyncio.Queue[DeviceProgress]" = field(default_factory=asyncio.Queue)

    async def ask(self, *buttons: str) -> "asyncio.Task[None]":
        """Ask for a signature, press a button for each screen, and wait for the end.

        The last button is pressed for every screen that follows, too.
        """
        asking = await self.shown()
        left = list(buttons)
        while not asking.done():
            if left:
                await self.press(left[0])
                left = left[1:] or left
            waiting = asyncio.ensure_future(self.screens.get())
            await asyncio.wait({asking, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
        return asking

    async def shown(self) -> "asyncio.Task[None]":
        """Ask for a signature, until its first screen is there."""
        self.nonce += 1
        self.screens = asyncio.Queue()
        asking = asyncio.create_task(self._sign(self.nonce))
        await asyncio.wait_for(self.screens.get(), 60)
        await asyncio.sleep(_SCREEN_S if EMULATOR else 0)
        return asking

    async def _sign(self, nonce: int) -> None:
        signature = await self.backend.attended(self._watch).sign_evm(EVM, transaction(nonce))
        assert recover_address(signing_hash(transaction(nonce)), signature) == address_of(EVM)

    def _watch(self, progress: DeviceProgress) -> None:
        if progress.phase is DevicePhase.WAITING_FOR_CONFIRMATION:
            self.screens.put_nowait(progress)


@pytest.fixture(name="desk", params=[60_000])
async def _desk(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    approval_ms: int = request.param
    if not EMULATOR:
        async with rig(person=lambda _: IGNORE, approval_ms=approval_ms) as opened:

            async def press(button: str) -> None:
                async with asyncio.timeout(60):
                    while not opened.device.press(Press(button)):  # noqa: ASYNC110 - no event tells of it
                        await asyncio.sleep(0.005)

            yield Desk(backend=opened.backend, press=press)
        return
    if not PRESS:
        pytest.skip("needs AIRLOCK_TREZOR_PRESS")
    device = TrezorDevice(
        where=f"udp:{EMULATOR}", allow_udp=True, lock_file=tmp_path / "lock", approval_ms=approval_ms
    )
    backend = TrezorBackend(device, KEYS)

    async def run(button: str) -> None:
        process = await asyncio.create_subprocess_exec(*PRESS, button)
        assert await process.wait() == 0

    yield Desk(backend=backend, press=run)
    await backend.aclose()


async def test_who_approves_signs_and_who_rejects_does_not(desk: Desk) -> None:
    first = await desk.ask("approve")
    second = await desk.ask("reject")
    third = await desk.ask("approve")

    error = second.exception()
    assert isinstance(error, RejectedError)
    assert error.reason is DenyReason.REJECTED_ON_DEVICE
    assert (first.exception(), third.exception()) == (None, None)


async def test_who_rejects_the_last_screen_signs_nothing(desk: Desk) -> None:
    rejected = await desk.ask("approve", "reject")
    following = await desk.ask("approve")

    assert isinstance(rejected.exception(), RejectedError)
    assert following.exception() is None


@pytest.mark.parametrize("desk", [3_000], indirect=True)
async def test_who_is_too_late_signs_nothing_and_the_next_request_works(desk: Desk) -> None:
    late = await desk.shown()
    await asyncio.wait({late})
    following = await desk.ask("approve")

    error = late.exception()
    assert isinstance(error, RejectedError)
    assert error.reason is DenyReason.NOT_CONFIRMED_IN_TIME
    assert following.exception() is None


async def test_a_caller_who_gives_up_leaves_no_dialog_to_the_next(desk: Desk) -> None:
    given_up = await desk.shown()
    given_up.cancel()
    await asyncio.wait({given_up})
    following = await desk.ask("approve")

    assert given_up.cancelled()
    assert following.exception() is None
