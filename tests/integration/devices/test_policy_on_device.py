"""Limits bound to a device, as programs: a double, the command that signs, and a signer with a guardian."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signer.cli.exit_codes import ExitCode
from signer.domain.guardian import solana_guardian
from tests.fakes import wire
from tests.fakes.guardians import STRANGER, STRANGER_INDEX, with_serial
from tests.fakes.json_rpc_node import fake_node
from tests.integration.devices.ledger_rig import SOLANA_PUBLIC
from tests.integration.test_policy_guardian import WIDER, Host, Ran
from tests.testbed.accounts import dev_account
from tests.testbed.processes import ROOT, Child, until
from tests.testbed.signer_program import PROGRAM

Command: TypeAlias = tuple[str | Path, ...]

EVM_PATH, SOLANA_PATH = "m/44'/60'/0'/0/0", "m/44'/501'/0'/0'"
EVM_GUARDIAN, SOLANA_GUARDIAN = dev_account(0).address.lower(), f"solana:{SOLANA_PUBLIC}"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of device: its double, the options that name it, and the key that is at its path."""

    double: tuple[str, ...]
    option: str
    path: str
    guardian: str


LEDGER = Kind(("ledger",), "--ledger=tcp:{}", EVM_PATH, EVM_GUARDIAN)
LEDGER_SOLANA = Kind(("ledger", "--app", "Solana"), "--ledger=tcp:{}", SOLANA_PATH, SOLANA_GUARDIAN)
TREZOR = Kind(("trezor", "--model", "t"), "--trezor=udp:{}", EVM_PATH, EVM_GUARDIAN)
KINDS = pytest.mark.parametrize("kind", [LEDGER, LEDGER_SOLANA, TREZOR], ids=["ledger", "solana", "trezor"])


class Desk:
    """A double that runs."""

    def __init__(self, kind: Kind, double: Child, address: str) -> None:
        self._kind, self._double, self._address = kind, double, address

    def options(self) -> tuple[str, ...]:
        """How `policy sign` is told of it."""
        emulator = ("--allow-udp",) if self._kind is TREZOR else ()
        return (self._kind.option.format(self._address), "--path", self._kind.path, *emulator)

    def shown(self) -> list[str]:
        """Every text that was ever on its screens."""
        texts: list[str] = []
        whole, _, _ = self._double.log().rpartition("\n")
        for line in whole.splitlines():
            said = json.loads(line)
            texts += said.get("screens", said.get("shown", ()))
        return texts


@asynccontextmanager
async def desk(kind: Kind, folder: Path, *presses: str) -> AsyncIterator[Desk]:
    """A double with a person who does these things in turn, and then approves."""
    script = folder / "acts.json"
    script.write_text(json.dumps([{"press": press} for press in presses]))
    argv = [PROGRAM, "mock-device", *kind.double, "--person", "approve", "--script", str(script)]
    async with Child(argv, log=folder / "device.log") as double:

        async def listens() -> bool:
            assert double.returncode is None, double.log()
            return "\n" in double.log()

        await until(listens, what="the double listens")
        address = json.loads(double.log().splitlines()[0])["listening"]
        yield Desk(kind, double, address)


async def airlock(*arguments: str) -> Ran:
    """One command as a program."""
    process = await asyncio.create_subprocess_exec(
        PROGRAM, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(120):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())


@pytest.fixture
async def host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Host]:
    async with fake_node() as node:
        yield Host(tmp_path, node.url, capsys)


@KINDS
async def test_the_signer_loads_what_a_person_signed_on_the_device_and_nothing_else(
    host: Host, kind: Kind
) -> None:
    host.configure(kind.guardian)
    host.policy.write_text(with_serial(5, wire.POLICY))
    async with desk(kind, host.folder) as device:
        sign: Command = ("policy", "sign", host.policy, *device.options())
        first = await airlock(*map(str, sign))
        old = host.policy.read_bytes(), host.signature.read_bytes()
        async with host.serving() as signer:
            host.policy.write_text(with_serial(6, WIDER))
            second = await host.run(*sign, "--settings", host.folder / "signer.toml")
            reloaded = await host.reload()
            host.policy.write_text(with_serial(7, WIDER))
            edited = await host.reload()
            host.signature.unlink()
            unsigned = await host.reload()
            await host.sign(with_serial(7, WIDER), STRANGER_INDEX)
            by_a_stranger = await host.reload()
            host.policy.write_bytes(old[0])
            host.signature.write_bytes(old[1])
            older = await host.reload()
            signer.kill()
        restarted = await host.refusal()
        told = [line.partition(": ")[2] for line in first.out.splitlines() if line.startswith("  ")]

        assert (first.code, second.code, reloaded.code) == (ExitCode.OK,) * 3, (first, second, reloaded)
        assert json.loads(old[1])["address"] == kind.guardian
        assert set(told) <= set(device.shown())
        assert first.out.splitlines()[0] == told[-1]
    refused = {
        "was edited after it was signed": edited,
        "policy is not signed": unsigned,
        f"signed by {STRANGER}; only the guardian {kind.guardian}": by_a_stranger,
        "is older: serial 5, and serial 6 was in force already": older,
    }
    for said, ran in refused.items():
        assert ran.code == ExitCode.REFUSED
        assert said in ran.err
        assert any(said in detail for detail in host.audited())
    assert "is older: serial 5" in restarted


@KINDS
async def test_without_a_confirmation_there_is_no_signature_and_the_command_says_why(
    host: Host, kind: Kind
) -> None:
    host.policy.write_text(with_serial(5, wire.POLICY))
    async with desk(kind, host.folder, "reject") as device:
        sign: Command = ("policy", "sign", host.policy, *device.options(), "--guardian")
        wrong_key = await host.run(*sign, STRANGER)
        nothing_shown = device.shown() == []
        rejected = await host.run(*sign, kind.guardian)
        unsigned = not host.signature.exists()
        signed = await host.run(*sign, kind.guardian)

        assert (wrong_key.code, rejected.code, signed.code) == (ExitCode.CONFIGURATION, ExitCode.REFUSED, 0)
        assert f"only the guardian {STRANGER} is allowed" in wrong_key.err
        assert nothing_shown
        assert "rejected" in rejected.err
        assert unsigned
        assert host.signature.exists()


async def test_ctrl_c_takes_the_statement_off_the_screen_and_is_no_success(host: Host) -> None:
    host.policy.write_text(with_serial(5, wire.POLICY))
    async with desk(LEDGER, host.folder, "ignore") as device:
        sign: Command = ("policy", "sign", host.policy, *device.options())
        async with Child([PROGRAM, *map(str, sign)], log=host.folder / "sign.log") as command:

            async def shown() -> bool:
                assert command.returncode is None, command.log()
                return device.shown() != []

            await until(shown, what="the statement is shown")
            os.kill(command.pid, signal.SIGINT)
            code = await command.wait()
        unsigned = not host.signature.exists()
        again = await host.run(*sign)

    assert code == ExitCode.REFUSED
    said = (host.folder / "sign.log").read_text()
    assert "nothing was signed" in said
    assert "Traceback" not in said
    assert unsigned
    assert again.code == ExitCode.OK


async def test_a_device_of_the_settings_is_named_and_its_guardian_is_theirs(host: Host) -> None:
    host.policy.write_text(with_serial(5, wire.POLICY))
    settings = host.folder / "signer.toml"
    async with desk(LEDGER, host.folder) as device:
        where = device.options()[0].removeprefix("--ledger=")
        of_settings: Command = ("policy", "sign", host.policy, "--settings", settings)
        ran = []
        for guardian in (STRANGER, LEDGER.guardian):
            host.configure(guardian)
            with settings.open("a") as text:
                text.write(f'[[ledgers]]\nname = "desk"\nwhere = "{where}"\nlock_file = "desk.lock"\n')
            ran.append(await host.run(*of_settings, "--path", EVM_PATH, "--device", "desk"))
        unknown = await host.run(*of_settings, "--path", EVM_PATH, "--device", "safe")
        by_no_path = await host.run(*of_settings, "--device", "desk")

    assert [each.code for each in ran] == [ExitCode.CONFIGURATION, ExitCode.OK]
    assert f"only the guardian {STRANGER} is allowed" in ran[0].err
    assert (unknown.code, by_no_path.code) == (ExitCode.CONFIGURATION,) * 2
    assert "safe: no device" in unknown.err
    assert "--path: is missing" in by_no_path.err
    assert (host.folder / "desk.lock").exists()


async def test_a_trezor_cannot_be_a_solana_guardian_and_says_so(host: Host) -> None:
    host.policy.write_text(with_serial(5, wire.POLICY))
    ran = await host.run(
        *("policy", "sign", host.policy, "--trezor", "udp:127.0.0.1:9", "--allow-udp", "--path", SOLANA_PATH)
    )

    assert ran.code == ExitCode.UNREACHABLE
    assert "signs no off-chain messages with a Solana key" in ran.err


async def test_a_signature_of_a_solana_wallet_is_kept_and_one_over_another_text_is_not(host: Host) -> None:
    host.policy.write_text(with_serial(5, wire.POLICY))
    key = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x07")
    guardian = solana_guardian(key.public_key().public_bytes_raw())
    message = await host.run("policy", "message", host.policy, "--guardian", guardian)
    envelope = bytes.fromhex(message.out)
    keep: Command = ("policy", "accept-signature", host.policy, "--address", guardian, "--signature")
    bare = await host.run(*keep, f"0x{key.sign(envelope[85:]).hex()}")
    short = await host.run(*keep, f"0x{key.sign(envelope).hex()[:-2]}")
    kept_nothing = not host.signature.exists()
    good = await host.run(*keep, f"0x{key.sign(envelope).hex()}")
    checked = await host.run("policy", "check", host.policy, "--guardian", guardian)

    assert envelope[85:].startswith(b"Airlock policy; serial 5; ")
    assert (bare.code, short.code, good.code) == (ExitCode.CONFIGURATION, ExitCode.CONFIGURATION, ExitCode.OK)
    assert kept_nothing
    assert f"is no signature of {guardian} over this policy" in bare.err
    assert "128 lower-case hex digits" in short.err
    assert (checked.code, f"signed by {guardian}, serial 5" in checked.out) == (ExitCode.OK, True)
