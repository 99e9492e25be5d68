"""The signer as a program under a guardian: what it loads, what it refuses, and what an operator is told."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
import pytest

from signer.adapters.pki.dev_pki import write_dev_pki
from signer.adapters.system_clock import SystemClock
from signer.cli import commands
from signer.cli.exit_codes import ExitCode
from tests.fakes import wire
from tests.fakes.guardians import GUARDIAN, GUARDIAN_INDEX, STRANGER, STRANGER_INDEX, with_serial
from tests.fakes.json_rpc_node import fake_node
from tests.integration.test_signer_contract import SETTINGS
from tests.testbed.accounts import dev_account
from tests.testbed.processes import Child, free_port, until
from tests.testbed.signer_program import PROGRAM

WIDER = wire.POLICY.replace("max_per_day = 10_000_000", "max_per_day = 10_000_001")


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


class Host:
    """The folder of one signer, and the commands that an operator runs there."""

    def __init__(self, folder: Path, node_url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.port, self._node_url, self._capsys = folder, free_port(), node_url, capsys
        self.policy = folder / "policy.toml"
        self.signature = folder / "policy.toml.sig"
        self.log = folder / "signer.log"
        write_dev_pki(folder / "pki", now=SystemClock().now())

    def configure(self, guardian: str | None) -> None:
        """Write signer.toml, with a guardian or without."""
        text = SETTINGS.format(url=self._node_url, account=wire.ACCOUNT)
        text = text.replace('"127.0.0.1:0"', f'"127.0.0.1:{self.port}"')
        line = "" if guardian is None else f'guardian = "{guardian}"\n'
        (self.folder / "signer.toml").write_text(line + text)

    async def run(self, *arguments: str | Path) -> Ran:
        """Run a command here."""
        self._capsys.readouterr()
        code = await asyncio.to_thread(commands.run, [str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        return Ran(code, out, err)

    async def reload(self) -> Ran:
        """Ask the running signer to read its policy again."""
        return await self.run(
            "reload-policy", "--address", f"127.0.0.1:{self.port}", "--pki", self.folder / "pki"
        )

    async def sign(self, text: str, index: int = GUARDIAN_INDEX) -> None:
        """Lay a policy there and sign it."""
        self.policy.write_text(text)
        ran = await self.run("policy", "sign", self.policy, "--mnemonic-index", str(index))
        assert ran.code == ExitCode.OK, ran

    @asynccontextmanager
    async def serving(self, *flags: str) -> AsyncIterator[Child]:
        """The signer, once it serves."""
        async with self._program(*flags) as child:

            async def serves() -> bool:
                assert child.returncode is None, child.log()
                async with wire.channel(f"127.0.0.1:{self.port}", self.folder / "pki") as channel:
                    return await _ready(channel)

            await until(serves, what="the signer serves")
            yield child

    async def refusal(self, *flags: str) -> str:
        """What a signer says that ends at once with the code of a configuration error."""
        said = self.log.stat().st_size if self.log.exists() else 0
        async with self._program(*flags) as child:
            assert await child.wait() == ExitCode.CONFIGURATION
        return self.log.read_bytes()[said:].decode()

    def audited(self) -> list[str]:
        """Details of every record of the audit trail."""
        lines = (self.folder / "audit.jsonl").read_text().splitlines()
        return [detail for line in lines for detail in json.loads(line).get("details", ())]

    def _program(self, *flags: str) -> Child:
        argv = [PROGRAM, "run", "--config", str(self.folder / "signer.toml"), *flags]
        return Child(argv, log=self.log)


@pytest.fixture
async def host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Host]:
    async with fake_node() as node:
        host = Host(tmp_path, node.url, capsys)
        host.configure(GUARDIAN)
        await host.sign(with_serial(5, wire.POLICY))
        yield host


async def test_the_program_loads_what_its_guardian_signed_and_refuses_everything_else(host: Host) -> None:
    old = host.policy.read_bytes(), host.signature.read_bytes()
    async with host.serving() as signer:
        await host.sign(with_serial(6, WIDER))
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

    assert reloaded.code == ExitCode.OK, reloaded
    expected = {
        "was edited after it was signed": edited,
        "policy is not signed": unsigned,
        f"signed by {STRANGER}": by_a_stranger,
        "is older: serial 5, and serial 6 was in force already": older,
    }
    for said, ran in expected.items():
        assert ran.code == ExitCode.REFUSED
        assert said in ran.err
        assert any(said in detail for detail in host.audited())
        assert said in host.log.read_text()
    assert "is older: serial 5" in restarted
    assert "Traceback" not in restarted


async def test_the_program_starts_without_its_guardian_only_when_an_operator_says_so(host: Host) -> None:
    async with host.serving():
        pass
    host.configure(None)
    host.policy.write_text(WIDER)
    host.signature.unlink()
    quietly = await host.refusal()
    async with host.serving("--accept-other-guardian"):
        pass
    async with host.serving():
        pass

    assert f"the ledger remembers {GUARDIAN}" in quietly
    assert "--accept-other-guardian" in quietly
    assert f"guardian from {GUARDIAN} to none" in host.audited()
    with closing(sqlite3.connect(host.folder / "ledger.sqlite")) as ledger:
        rows = ledger.execute("SELECT guardian, serial FROM guarded_policies ORDER BY id").fetchall()
    assert rows == [(GUARDIAN, 5), ("", 5)]


async def test_a_first_start_without_a_signature_is_refused_and_remembers_nothing(host: Host) -> None:
    host.signature.unlink()
    said = await host.refusal()
    host.configure(None)
    async with host.serving():
        pass

    assert "policy is not signed" in said


async def test_policy_check_says_who_signed(host: Host) -> None:
    good = await host.run("policy", "check", host.policy, "--guardian", GUARDIAN)
    plain = await host.run("policy", "check", host.policy, "--json")
    other = await host.run("policy", "check", host.policy, "--guardian", STRANGER)
    host.policy.write_text(with_serial(5, WIDER))
    edited = await host.run("policy", "check", host.policy)
    host.signature.unlink()
    unsigned = await host.run("policy", "check", host.policy)
    missing = await host.run("policy", "check", host.policy, "--guardian", GUARDIAN, "--json")

    assert good.code == ExitCode.OK
    assert f"signed by {GUARDIAN}, serial 5" in good.out
    assert json.loads(plain.out)["signature"] == {"signed_by": GUARDIAN, "problem": None}
    assert (other.code, edited.code, missing.code) == (ExitCode.FINDINGS,) * 3
    assert "only the guardian" in other.out
    assert "was edited after it was signed" in edited.out
    assert (unsigned.code, unsigned.out.splitlines()[-1]) == (ExitCode.OK, "not signed")
    assert "is not there" in json.loads(missing.out)["signature"]["problem"]


async def test_a_signature_of_a_wallet_is_kept_and_one_of_somebody_else_is_not(host: Host) -> None:
    by_airlock = json.loads(host.signature.read_text())["signature"]
    host.signature.unlink()
    keep = ("policy", "accept-signature", host.policy, "--signature", by_airlock, "--address")
    wrong = await host.run(*keep, STRANGER)
    kept_nothing = not host.signature.exists()
    right = await host.run(*keep, GUARDIAN)

    assert wrong.code == ExitCode.CONFIGURATION
    assert kept_nothing
    assert right.code == ExitCode.OK
    assert json.loads(host.signature.read_text())["signature"] == by_airlock


async def test_a_key_file_signs_and_its_message_is_what_policy_message_prints(host: Host) -> None:
    key = host.folder / "guardian.key"
    key.write_text(dev_account(STRANGER_INDEX).private_key)
    key.chmod(0o600)
    signed = await host.run("policy", "sign", host.policy, "--key-file", key)
    message = await host.run("policy", "message", host.policy)

    assert signed.out.splitlines()[0] == message.out
    assert message.out.startswith("Airlock policy; serial 5; chains eip155:31337; sha256 ")
    assert json.loads(host.signature.read_text())["address"] == STRANGER


async def test_a_public_key_signs_no_policy_of_a_real_chain(host: Host) -> None:
    host.policy.write_text(with_serial(6, wire.POLICY.replace("eip155:31337", "eip155:1")))
    ran = await host.run("policy", "sign", host.policy, "--mnemonic-index", "7")

    assert ran.code == ExitCode.CONFIGURATION
    assert "no policy for eip155:1" in ran.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("garbage", "no signature of a policy: file: "),
        ("{}", "serial: Field required"),
        ('{"serial": true}', "serial: Input should be a valid integer"),
        ("x" * 70_000, "at most 65536 are allowed"),
    ],
)
async def test_a_signature_file_that_is_none_is_named(host: Host, content: str, said: str) -> None:
    host.signature.write_text(content)
    ran = await host.run("policy", "check", host.policy)

    assert ran.code == ExitCode.FINDINGS
    assert f"{host.signature}: " in ran.out
    assert said in ran.out


@pytest.mark.parametrize(
    "signature", ["0x", "0x" + "0" * 130, "0x" + "f" * 128 + "1b", "0x" + "1" * 128 + "05"]
)
async def test_a_signature_that_is_none_is_refused(host: Host, signature: str) -> None:
    document = json.loads(host.signature.read_text())
    host.signature.write_text(json.dumps({**document, "signature": signature}))
    ran = await host.run("policy", "check", host.policy)

    assert ran.code == ExitCode.FINDINGS
    assert f"{host.signature}: " in ran.out


async def test_the_doctor_looks_at_the_signature(host: Host) -> None:
    config = host.folder / "signer.toml"
    good = await host.run("doctor", "--config", config, "--json")
    host.signature.unlink()
    bad = await host.run("doctor", "--config", config, "--json")

    seen = {part["part"]: part["seen"] for ran in (good, bad) for part in json.loads(ran.out)["checks"]}
    assert "serial 5 is signed by the guardian" in good.out
    assert "policy is not signed" in seen["policy"]


async def _ready(channel: grpc.aio.Channel) -> bool:
    try:
        await asyncio.wait_for(channel.channel_ready(), 1)
    except TimeoutError:
        return False
    return True
