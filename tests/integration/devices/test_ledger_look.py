"""How a Ledger is and what it will show: by looking, without disturbing anybody."""

import asyncio
from pathlib import Path

import pytest

from signer.adapters.device.lock import DeviceLock
from signer.domain.accounts import AccountId, Address
from signer.domain.errors import RejectedError
from signer.domain.reasons import FailReason
from signer.domain.transactions import EvmPayload, UnsignedEvmTransaction
from signer.mock.devices.ledger.device import Fault
from signer.mock.devices.ledger.person import IGNORE, always
from tests.integration.devices.ledger_rig import (
    EVM,
    OTHER_MNEMONIC,
    SOLANA,
    SOON,
    Rig,
    blind_message,
    ledger_rig,
    only_the_double,
    transaction,
    until,
)

pytestmark = only_the_double

_TO = Address("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")


async def test_a_device_that_could_sign_is_ready_and_says_what_runs_on_it(tmp_path: Path) -> None:
    async with ledger_rig(tmp_path) as rig:
        status = await rig.backend.look(EVM)

        assert (status.ready, status.state, status.detail) == (True, "idle", "Ethereum 1.22.0")
        assert (status.name, status.kind, status.waiting) == ("Ledger one", "ledger", 0)
        assert rig.device.reviews == []


@pytest.mark.parametrize(
    ("how", "reason", "what_to_do"),
    [
        ("locked", FailReason.DEVICE_LOCKED, "unlock it with its PIN"),
        ("dashboard", FailReason.DEVICE_WRONG_APP, "open the application Ethereum"),
        ("solana", FailReason.DEVICE_WRONG_APP, "Solana is open"),
        ("not blind", FailReason.DEVICE_BLIND_SIGNING_OFF, "Settings, Blind signing"),
        ("away", FailReason.DEVICE_GONE, "plug it in"),
        ("other seed", FailReason.BROKEN, "connect the device that was pinned"),
    ],
)
async def test_what_is_missing_is_named_as_a_request_would_name_it(
    tmp_path: Path, how: str, reason: FailReason, what_to_do: str
) -> None:
    async with ledger_rig(tmp_path) as rig:
        match how:
            case "locked":
                rig.device.locked = True
            case "dashboard":
                rig.device.open_app(None)
            case "solana":
                rig.device.open_app("Solana")
            case "not blind":
                rig.device.blind(on=False)
            case "away":
                rig.device.unplug()
            case _:
                rig.device.seed(OTHER_MNEMONIC)

        status = await rig.backend.look(EVM)

        assert (status.ready, status.reason) == (False, reason)
        assert what_to_do in status.message
        assert rig.device.reviews == []


async def test_each_account_is_judged_by_the_application_it_needs(tmp_path: Path) -> None:
    async with ledger_rig(tmp_path) as rig:
        ethereum, solana = await rig.backend.look(EVM), await rig.backend.look(SOLANA)

        assert (ethereum.ready, solana.reason) == (True, FailReason.DEVICE_WRONG_APP)


async def test_an_account_of_another_device_is_broken_and_no_exception(tmp_path: Path) -> None:
    async with ledger_rig(tmp_path) as rig:
        status = await rig.backend.look(AccountId(f"eip155:1:{_TO}"))

        assert (status.ready, status.reason) == (False, FailReason.BROKEN)


async def test_many_who_look_disturb_the_device_no_more_than_one(tmp_path: Path) -> None:
    async with ledger_rig(tmp_path) as rig:
        first = await rig.backend.look(EVM)
        asked = len(rig.device.commands)
        all_seen = await asyncio.gather(*(rig.backend.look(EVM) for _ in range(50)))

        assert len(rig.device.commands) == asked
        assert all(each == first for each in all_seen)


async def test_a_look_while_a_person_reads_touches_nothing_and_says_that_one_may_queue(
    tmp_path: Path,
) -> None:
    async with ledger_rig(tmp_path) as rig:
        asking = await _in_review(rig)
        asked = len(rig.device.commands)
        status = await rig.backend.look(EVM)

        assert (status.ready, status.state, status.waiting) == (True, "reviewing", 1)
        assert len(rig.device.commands) == asked
        rig.device.approve()
        await asking


async def test_a_device_that_still_shows_what_was_given_up_is_not_ready(tmp_path: Path) -> None:
    async with ledger_rig(tmp_path, app="Solana", patience=SOON) as rig:
        rig.device.person = always(IGNORE)
        with pytest.raises(RejectedError):
            await rig.backend.sign_solana(SOLANA, blind_message())
        status = await rig.backend.look(SOLANA)

        assert (status.ready, status.state, status.reason) == (False, "draining", FailReason.DEVICE_BUSY)
        assert "reject it" in status.message


async def test_another_process_with_the_device_is_named(tmp_path: Path) -> None:
    async with ledger_rig(tmp_path) as rig:
        other = DeviceLock(rig.lock_file)
        other.take()
        status = await rig.backend.look(EVM)
        other.release()

        assert (status.ready, status.reason) == (False, FailReason.DEVICE_BUSY)
        assert "another process has the device" in status.message


async def test_a_device_that_does_not_answer_keeps_nobody_waiting(tmp_path: Path) -> None:
    async with ledger_rig(tmp_path, patience=SOON) as rig:
        rig.device.fail_next(Fault())
        status = await rig.backend.look(EVM)

        assert (status.ready, status.reason) == (False, FailReason.DEVICE_BUSY)
        assert "does not answer" in status.message
        await rig.next_request_works()


async def test_looks_are_no_obstacle_to_a_request(tmp_path: Path) -> None:
    async with ledger_rig(tmp_path) as rig:
        looks = [asyncio.create_task(rig.backend.look(EVM)) for _ in range(5)]
        await rig.sign()

        seen = await asyncio.gather(*looks)
        assert all(each.ready or each.reason is FailReason.DEVICE_BUSY for each in seen)


@pytest.mark.parametrize("chain_id", [1, 137, 31_337])
@pytest.mark.parametrize("value_wei", [0, 1, 15 * 10**17, 10**20])
@pytest.mark.parametrize("data", [b"", bytes(68)], ids=["plain", "call"])
async def test_the_console_says_text_for_text_what_the_device_shows(
    tmp_path: Path, chain_id: int, value_wei: int, data: bytes
) -> None:
    payload = EvmPayload(
        to=_TO, value_wei=value_wei, data=data, gas_limit=180_001, max_fee_per_gas_wei=31 * 10**9 + 7,
        max_priority_fee_per_gas_wei=10**9,
    )  # fmt: skip
    wanted = UnsignedEvmTransaction(chain_id=chain_id, nonce=3, payload=payload)
    account = AccountId(f"eip155:{chain_id}:{EVM.rpartition(':')[2]}")
    async with ledger_rig(tmp_path, evm=account) as rig:
        expected = rig.backend.screens(account, wanted)
        await rig.backend.sign_evm(account, wanted)

        assert [f"{each.title} {each.text}".strip() for each in expected] == list(
            rig.device.reviews[0].screens
        )


async def test_a_swap_is_a_blind_one_and_its_hash_is_the_one_that_is_signed(tmp_path: Path) -> None:
    async with ledger_rig(tmp_path) as rig:
        screens = rig.backend.screens(EVM, transaction(1))

        titles = [each.title for each in screens]
        assert titles == [
            "Blind signing ahead",
            "From",
            "To",
            "Max fees",
            "Network",
            "Tx hash",
            "Accept risk and sign",
        ]


async def _in_review(rig: Rig) -> "asyncio.Task[None]":
    rig.device.person = always(IGNORE)
    asking = asyncio.create_task(rig.sign())
    await rig.shown()
    await until(lambda: rig.state == "reviewing")
    return asking
