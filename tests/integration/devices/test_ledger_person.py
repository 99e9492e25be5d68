"""What a person does, on the double or on a real application whose buttons a command presses.

See `ledger_rig`: AIRLOCK_LEDGER_TCP, and AIRLOCK_LEDGER_PRESS, run as `command approve` or `command reject`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from signer.adapters.ledger_device.backend import LedgerBackend, LedgerPlace
from signer.decode.evm.envelope import signing_hash
from signer.decode.evm.recovery import recover_address
from signer.domain.accounts import address_of
from signer.domain.errors import RejectedError
from signer.domain.reasons import DenyReason
from signer.mock.devices.ledger.person import IGNORE, always
from signer.ports.device import DevicePhase, DeviceProgress
from tests.integration.devices.ledger_rig import (
    EVM,
    KEYS,
    PATIENT,
    PRESS,
    REAL,
    SCREEN_S,
    Events,
    ledger_rig,
    real_application,
    transaction,
)


@dataclass(slots=True, kw_only=True)
class Desk:
    """A device and the hand before it."""

    backend: LedgerBackend
    press: Callable[[str], Awaitable[None]]
    nonce: int = 0

    async def ask(self, then: Callable[["asyncio.Task[None]"], Awaitable[None]]) -> "asyncio.Task[None]":
        """Ask for a signature; once it is shown, do `then`."""
        shown = asyncio.Event()

        def watch(progress: DeviceProgress) -> None:
            if progress.phase is DevicePhase.WAITING_FOR_CONFIRMATION:
                shown.set()

        self.nonce += 1
        asking = asyncio.create_task(self._sign(watch, self.nonce))
        await asyncio.wait_for(shown.wait(), 60)
        await asyncio.sleep(SCREEN_S if REAL else 0.02)
        await then(asking)
        await asyncio.wait([asking])
        return asking

    async def approves(self, _asking: object = None) -> None:
        await self.press("approve")

    async def rejects(self, _asking: object = None) -> None:
        await self.press("reject")

    async def _sign(self, watch: Callable[[DeviceProgress], None], nonce: int) -> None:
        signature = await self.backend.attended(watch).sign_evm(EVM, transaction(nonce))
        assert recover_address(signing_hash(transaction(nonce)), signature) == address_of(EVM)


@pytest.fixture(name="desk", params=[60_000])
async def _desk(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    patience = replace(PATIENT, approval_ms=request.param)
    if not REAL:
        async with ledger_rig(tmp_path, patience=patience) as rig:
            rig.device.person = always(IGNORE)

            async def press(button: str) -> None:
                assert rig.device.approve() if button == "approve" else rig.device.reject()

            yield Desk(backend=rig.backend, press=press)
        return
    if real_application() != "Ethereum" or not PRESS:
        pytest.skip("needs the application Ethereum at AIRLOCK_LEDGER_TCP, and AIRLOCK_LEDGER_PRESS")
    place = LedgerPlace(name="emulator", where=f"tcp:{REAL}", lock_file=tmp_path / "lock")
    backend = LedgerBackend(KEYS, place, log=Events(), patience=patience)

    async def run(button: str) -> None:
        process = await asyncio.create_subprocess_exec(*PRESS.split(), button)
        assert await process.wait() == 0

    yield Desk(backend=backend, press=run)
    await backend.aclose()


async def test_who_approves_signs_and_who_rejects_does_not(desk: Desk) -> None:
    first = await desk.ask(desk.approves)
    second = await desk.ask(desk.rejects)
    third = await desk.ask(desk.approves)

    error = second.exception()
    assert isinstance(error, RejectedError)
    assert error.reason is DenyReason.REJECTED_ON_DEVICE
    assert (first.exception(), third.exception()) == (None, None)


@pytest.mark.parametrize("desk", [2_000], indirect=True)
async def test_who_is_too_late_signs_nothing_and_the_next_request_works(desk: Desk) -> None:
    async def nothing(_asking: object) -> None:
        await asyncio.sleep(0)

    late = await desk.ask(nothing)
    following = await desk.ask(desk.approves)

    error = late.exception()
    assert isinstance(error, RejectedError)
    assert error.reason is DenyReason.NOT_CONFIRMED_IN_TIME
    assert following.exception() is None


async def test_a_caller_who_gives_up_leaves_no_dialog_to_the_next(desk: Desk) -> None:
    async def give_up(asking: "asyncio.Task[None]") -> None:
        asking.cancel()
        await asyncio.sleep(0)

    given_up = await desk.ask(give_up)
    following = await desk.ask(desk.approves)

    assert given_up.cancelled()
    assert following.exception() is None
