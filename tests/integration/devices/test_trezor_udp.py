"""The backend over the library's own UDP transport, and `airlock-signer mock-device trezor` as a program."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from signer.adapters.dev_key.derivation import TEST_MNEMONIC
from signer.adapters.event_log import JsonEventLog
from signer.adapters.trezor_device.backend import TrezorBackend
from signer.adapters.trezor_device.credentials import store_credential
from signer.adapters.trezor_device.device import TrezorDevice
from signer.adapters.trezor_device.pairing import pair
from signer.decode.evm.envelope import signing_hash
from signer.decode.evm.recovery import recover_address
from signer.device_access import device_backends
from signer.domain.accounts import address_of
from signer.domain.errors import BrokenError, PreconditionError, RejectedError, UnavailableError
from signer.domain.reasons import DenyReason, FailReason
from signer.mock.devices.trezor.device import TrezorDevice as Double
from signer.mock.devices.trezor.flavour import MODEL_T, SAFE_7, Flavour
from signer.mock.devices.trezor.person import Person, Press, approving
from signer.mock.devices.trezor.thp.wire import ThpWire
from signer.mock.devices.trezor.udp import UdpServer
from tests.integration.devices.trezor_rig import (
    EVM,
    EVM_PATH,
    IGNORE,
    KEYS,
    OTHER_MNEMONIC,
    SOLANA,
    credential_for,
    scripted,
    solana_message,
    transaction,
)
from tests.unit.test_signer_settings import settings


@pytest.mark.parametrize("flavour", [MODEL_T, SAFE_7], ids=lambda each: each.name)
async def test_it_signs_for_both_chains(tmp_path: Path, flavour: Flavour) -> None:
    async with _served(tmp_path, approving, flavour=flavour) as (_, __, backend):
        await _sign(backend, 0)

        assert len(await backend.sign_solana(SOLANA, solana_message())) == 64


@pytest.mark.parametrize("flavour", [MODEL_T, SAFE_7], ids=lambda each: each.name)
async def test_an_emulator_that_is_killed_while_the_person_reads_is_an_unknown_outcome(
    tmp_path: Path, flavour: Flavour
) -> None:
    opening = _served(tmp_path, scripted(IGNORE), approval_ms=1_500, flavour=flavour)
    async with opening as (device, server, backend):
        signing = asyncio.create_task(_sign(backend, 0))
        while "ButtonAck" not in device.received:  # noqa: ASYNC110 - the device is in another thread
            await asyncio.sleep(0.01)
        server.unplug()
        with pytest.raises(PreconditionError) as caught:
            await signing

        assert caught.value.reason is FailReason.DEVICE_OUTCOME_UNKNOWN
        with pytest.raises(UnavailableError):
            await _sign(backend, 0)
        server.plug()
        await _sign(backend, 1)


async def test_a_late_press_after_the_time_is_up_finds_nothing_to_press_on(tmp_path: Path) -> None:
    async with _served(tmp_path, scripted(IGNORE), approval_ms=300) as (device, _, backend):
        with pytest.raises(RejectedError) as caught:
            await _sign(backend, 0)

        assert caught.value.reason is DenyReason.NOT_CONFIRMED_IN_TIME
        assert not device.press(Press.APPROVE)
        await _sign(backend, 1)


async def test_the_environment_leads_to_no_other_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Double(mnemonic=OTHER_MNEMONIC)
    with UdpServer(other) as decoy:
        monkeypatch.setenv("TREZOR_PATH", f"udp:{decoy.address}")
        async with _served(tmp_path, approving) as (_, __, backend):
            await _sign(backend, 0)

    assert other.received == []


async def test_the_program_plays_its_script(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text('[{"press": "reject", "screen": 2}, {"press": "late", "ms": 50}, {"press": "approve"}]')
    with _program("--script", str(script), "--model", "t") as (process, ready):
        backend = _backend(
            tmp_path, str(ready["where"]), fingerprint=bytes.fromhex(str(ready["fingerprint"]))
        )
        with pytest.raises(RejectedError) as caught:
            await _sign(backend, 0)
        await _sign(backend, 1)
        await _sign(backend, 2)
        await backend.aclose()
        told = _told(process, 2 + 3 + 3)

    assert caught.value.reason is DenyReason.REJECTED_ON_DEVICE
    assert [(each["screen"], each["person"]) for each in told][:3] == [
        (1, "approve"),
        (2, "reject"),
        (1, "approve"),
    ]


async def test_the_program_obeys_its_stdin(tmp_path: Path) -> None:
    with _program("--pin", "1") as (process, ready):
        backend = _backend(tmp_path, str(ready["where"]))
        signing = asyncio.create_task(_sign(backend, 0))
        assert (await asyncio.to_thread(_told, process, 2))[0]["name"] == "pin_device"
        for following in (2, 2, 1):  # the press, and the next screen: two threads tell them, in any order
            _say(process, "approve")
            assert {"did": "approve", "pressed": True} in await asyncio.to_thread(_told, process, following)
        await signing
        _say(process, "jump")
        assert "allowed" in (await asyncio.to_thread(_told, process, 1))[0]
        await backend.aclose()


async def test_the_program_is_paired_by_the_code_that_it_shows(tmp_path: Path) -> None:
    with _program("--model", "safe7", "--person", "approve") as (process, ready):
        settings = _settings(tmp_path, str(ready["where"]))

        def read_code() -> str:
            return str(next(each for each in _told(process, 2) if "code" in each)["code"])

        paired = await asyncio.to_thread(
            pair, settings, ask_code=read_code, host_name="desk", app_name="airlock-signer"
        )
        assert paired.autoconnect
        _say(process, "restart")
        backend = _backend(tmp_path, settings.where)
        await _sign(backend, 0)
        await backend.aclose()


@pytest.mark.parametrize("content", ["", "{}", '[{"press": "dance"}]', '[{"press": "reject", "more": 1}]'])
def test_the_program_names_a_script_that_it_does_not_understand(tmp_path: Path, content: str) -> None:
    script = tmp_path / "script.json"
    script.write_text(content)

    ended = subprocess.run(
        [sys.executable, "-m", "signer", "mock-device", "trezor", "--script", str(script)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert ended.returncode != 0
    assert str(script) in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_the_settings_lead_to_the_device(tmp_path: Path) -> None:
    device = Double(mnemonic=TEST_MNEMONIC)
    with UdpServer(device) as server:
        lines = f'where = "udp:{server.address}"\nallow_udp = true\nlock_file = "{tmp_path}/lock"\n'
        key = f'backend = "trezor"\ntrezor = {{ device = "safe", path = "{EVM_PATH}" }}\n'
        read = settings(
            ('backend = "dev"\ndev = { mnemonic_index = 1 }\n', key),
            ("[[clients]]", f'[[trezors]]\nname = "safe"\n{lines}\n[[clients]]'),
        )
        async with device_backends(read, JsonEventLog()) as backends:
            ((_, backend),) = backends.items()

            assert backend.name == "trezor"
            with pytest.raises(BrokenError, match="another seed"):  # the settings of the test pin index 1
                await backend.check(next(iter(backends)))


async def test_an_account_of_another_device_is_refused_over_udp(tmp_path: Path) -> None:
    with UdpServer(Double(mnemonic=OTHER_MNEMONIC)) as server:
        backend = _backend(tmp_path, f"udp:{server.address}")
        with pytest.raises(BrokenError, match="another seed"):
            await backend.check(EVM)
        await backend.aclose()


async def _sign(backend: TrezorBackend, nonce: int) -> None:
    wanted = transaction(nonce)
    signature = await backend.sign_evm(EVM, wanted)
    assert recover_address(signing_hash(wanted), signature) == address_of(EVM)


@asynccontextmanager
async def _served(
    folder: Path, person: Person, *, approval_ms: int = 20_000, flavour: Flavour = MODEL_T
) -> AsyncIterator[tuple[Double, UdpServer, TrezorBackend]]:
    device = Double(mnemonic=TEST_MNEMONIC, person=person, flavour=flavour)
    with UdpServer(device) as server:
        if isinstance(server.wire, ThpWire):
            store_credential(folder / "credentials", credential_for(server.wire))
        backend = _backend(folder, f"udp:{server.address}", approval_ms=approval_ms)
        try:
            yield device, server, backend
        finally:
            await backend.aclose()


def _backend(
    folder: Path, where: str, *, approval_ms: int = 20_000, fingerprint: bytes | None = None
) -> TrezorBackend:
    device = replace(
        _settings(folder, where), approval_ms=approval_ms, answer_ms=min(approval_ms, 5_000),
        fingerprint=fingerprint,
    )  # fmt: skip
    return TrezorBackend(device, KEYS)


def _settings(folder: Path, where: str) -> TrezorDevice:
    return TrezorDevice(
        where=where, allow_udp=True, lock_file=folder / "lock", credentials_file=folder / "credentials"
    )


@contextmanager
def _program(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, object]]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "signer", "mock-device", "trezor", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process, _told(process, 1)[0]
        _say(process, "quit")
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.communicate()


def _told(process: "subprocess.Popen[str]", count: int) -> list[dict[str, object]]:
    assert process.stdout is not None
    return [json.loads(process.stdout.readline()) for _ in range(count)]


def _say(process: "subprocess.Popen[str]", word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()
