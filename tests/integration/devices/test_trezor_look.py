"""How a Trezor is and what it will show: by looking, without disturbing anybody."""

import asyncio
from pathlib import Path

import pytest

from signer.adapters.dev_key.derivation import TEST_MNEMONIC
from signer.adapters.device.lock import DeviceLock
from signer.adapters.trezor_device.backend import TrezorBackend
from signer.adapters.trezor_device.device import TrezorDevice, TrezorKey
from signer.domain.accounts import AccountId, Address
from signer.domain.reasons import FailReason
from signer.domain.transactions import EvmPayload, UnsignedEvmTransaction
from signer.mock.devices.trezor.device import TrezorDevice as Double
from signer.mock.devices.trezor.flavour import MODEL_ONE, MODEL_T, SAFE_7, Flavour
from signer.mock.devices.trezor.usb import UsbPort
from tests.integration.devices.trezor_rig import (
    EMULATOR,
    EVM,
    EVM_PATH,
    IGNORE,
    KEYS,
    OTHER_MNEMONIC,
    rig,
    scripted,
    transaction,
)

pytestmark = pytest.mark.skipif(bool(EMULATOR), reason="scripts the device itself")

_TO = Address("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")


@pytest.mark.parametrize(
    ("flavour", "detail"),
    [
        (MODEL_ONE, "Trezor Model One, firmware 1.14.1"),
        (MODEL_T, "Trezor Model T, firmware 2.10.0"),
        (SAFE_7, "Trezor Safe 7, firmware 2.10.0"),
    ],
)
async def test_a_device_that_could_sign_is_ready_and_says_what_it_is(flavour: Flavour, detail: str) -> None:
    async with rig(flavour=flavour) as here:
        status = await here.backend.look(EVM)

        assert (status.ready, status.state, status.detail) == (True, "idle", detail)
        assert (status.kind, status.waiting, here.device.shown) == ("trezor", 0, [])


@pytest.mark.parametrize("flavour", [MODEL_ONE, MODEL_T, SAFE_7])
async def test_a_locked_device_is_asked_for_no_pin(flavour: Flavour) -> None:
    async with rig(flavour=flavour, pin="1234") as here:
        status = await here.backend.look(EVM)

        assert (status.ready, status.reason) == (False, FailReason.DEVICE_LOCKED)
        assert "PIN" in status.message
        assert here.device.shown == []


async def test_a_passphrase_that_would_be_typed_on_the_device_is_not_asked_for_by_a_look() -> None:
    async with rig(passphrase="", passphrase_on_device=True) as here:
        before = await here.backend.look(EVM)
        shown = len(here.device.shown)
        await here.sign()

        assert (before.ready, before.reason, shown) == (False, FailReason.DEVICE_LOCKED, 0)
        assert "passphrase" in before.message


async def test_a_device_that_is_not_paired_says_so() -> None:
    async with rig(flavour=SAFE_7, paired=False) as here:
        status = await here.backend.look(EVM)

        assert (status.ready, status.reason) == (False, FailReason.DEVICE_NOT_PAIRED)


async def test_another_seed_is_broken() -> None:
    async with rig(mnemonic=OTHER_MNEMONIC) as here:
        status = await here.backend.look(EVM)

        assert (status.ready, status.reason) == (False, FailReason.BROKEN)
        assert "another seed or passphrase" in status.message


async def test_what_is_missing_on_the_cable_is_named() -> None:
    async with rig() as away, rig() as taken, rig() as forbidden:
        away.port.unplug()
        taken.port.claimed_by = object()
        forbidden.port.forbidden = True
        seen = [await each.backend.look(EVM) for each in (away, taken, forbidden)]

    reasons = [FailReason.DEVICE_GONE, FailReason.DEVICE_BUSY, FailReason.DEVICE_GONE]
    assert [each.reason for each in seen] == reasons
    assert "udev" in seen[2].message


async def test_another_process_with_the_device_is_named(tmp_path: Path) -> None:
    other = DeviceLock(tmp_path / "lock")
    other.take()
    device = TrezorDevice(where="webusb:001:1", lock_file=tmp_path / "lock")
    backend = TrezorBackend(device, KEYS, find=UsbPort(Double(mnemonic=TEST_MNEMONIC)).find)
    status = await backend.look(EVM)
    other.release()
    await backend.aclose()

    assert (status.ready, status.reason, status.state) == (False, FailReason.DEVICE_BUSY, "gone")
    assert "another process has the device" in status.message


async def test_many_who_look_disturb_the_device_no_more_than_one() -> None:
    async with rig() as here:
        first = await here.backend.look(EVM)
        asked = len(here.device.received)
        seen = await asyncio.gather(*(here.backend.look(EVM) for _ in range(50)))

        assert all(each == first for each in seen)
        assert len(here.device.received) == asked


async def test_a_look_while_a_person_reads_touches_nothing_and_says_that_one_may_queue() -> None:
    async with rig(person=scripted(IGNORE)) as here:
        asking = asyncio.create_task(here.sign())
        await here.until_shown()
        asked = len(here.device.received)
        status = await here.backend.look(EVM)

        assert (status.ready, status.state, status.waiting) == (True, "reviewing", 1)
        assert len(here.device.received) == asked
        asking.cancel()
        await asyncio.wait({asking})


async def test_a_look_does_not_wait_behind_a_pin_screen() -> None:
    async with rig(person=scripted(IGNORE), pin="1234") as here:
        asking = asyncio.create_task(here.sign())
        while not here.watched:
            here.changed.clear()
            await here.changed.wait()
        status = await here.backend.look(EVM)

        assert (status.ready, status.reason) == (False, FailReason.DEVICE_BUSY)
        asking.cancel()
        await asyncio.wait({asking})


async def test_who_leaves_in_the_middle_of_a_look_costs_the_device_nothing() -> None:
    """A console is closed, a client hangs up: the wallet stays open, nobody types a passphrase again."""
    async with rig(passphrase="", passphrase_on_device=True) as here:
        await here.sign()
        with here.device.mutex:  # it takes its time
            looking = asyncio.create_task(here.backend.look(EVM))
            await asyncio.sleep(0.1)
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

        status = await here.backend.look(EVM)
        assert (status.ready, status.message) == (True, "")
        await here.sign(1)
        assert here.device.received.count("PassphraseAck") == 1


async def test_an_account_of_another_device_is_broken_and_no_exception() -> None:
    async with rig() as here:
        status = await here.backend.look(AccountId(f"eip155:1:{_TO}"))

        assert (status.ready, status.reason) == (False, FailReason.BROKEN)


@pytest.mark.parametrize("chain_id", [1, 137])
@pytest.mark.parametrize("value_wei", [0, 1, 15 * 10**17])
@pytest.mark.parametrize("data", [b"", bytes(32), bytes(range(200))], ids=["plain", "short", "long"])
async def test_the_console_says_field_for_field_what_core_firmware_shows(
    chain_id: int, value_wei: int, data: bytes
) -> None:
    payload = EvmPayload(
        to=_TO, value_wei=value_wei, data=data, gas_limit=180_001, max_fee_per_gas_wei=31 * 10**9 + 7,
        max_priority_fee_per_gas_wei=10**9,
    )  # fmt: skip
    wanted = UnsignedEvmTransaction(chain_id=chain_id, nonce=3, payload=payload)
    account = AccountId(f"eip155:{chain_id}:{EVM.rpartition(':')[2]}")
    async with rig(keys=(TrezorKey(account=account, path=EVM_PATH),)) as here:
        expected = here.backend.screens(account, wanted)
        await here.backend.sign_evm(account, wanted)

        assert [(each.title, each.text) for each in expected] == here.device.shown


async def test_a_model_one_shows_more_screens_whose_words_nobody_knows() -> None:
    async with rig(flavour=MODEL_ONE) as here:
        expected = here.backend.screens(EVM, transaction(0))
        await here.sign()

        assert [each.title for each in expected] == ["Data", "To", "Amount"]
        assert len(here.device.shown) > len(expected)
