"""`airlock-signer` as people and scripts call it: what it prints, and with which code it ends."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from signer.cli import commands
from signer.cli.exit_codes import MEANING, ExitCode
from tests.fakes import wire
from tests.fakes.json_rpc_node import FakeNode, fake_node
from tests.fakes.signer_edge import EdgeRig, edge_rig
from tests.integration.test_signer_contract import SETTINGS


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        parsed: dict[str, object] = json.loads(self.out)
        return parsed


class Run:
    """Runs a command in a thread, so that servers of the test go on."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    async def __call__(self, *arguments: str | Path) -> Ran:
        self._capsys.readouterr()
        code = await asyncio.to_thread(commands.run, [str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        return Ran(code, out, err)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(capsys)


@pytest.fixture
async def node() -> AsyncIterator[FakeNode]:
    async with fake_node() as opened:
        yield opened


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[EdgeRig]:
    async with edge_rig(tmp_path / "pki") as rig:
        yield rig


async def test_dev_pki_writes_private_keys_for_their_owner_only(run: Run, tmp_path: Path) -> None:
    ran = await run("dev-pki", tmp_path / "pki", "--host", "signer.lan")

    assert ran.code == ExitCode.OK
    assert len(ran.out.splitlines()) == 8
    for key in (tmp_path / "pki").glob("*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


async def test_dev_pki_overwrites_nothing(run: Run, tmp_path: Path) -> None:
    pki = tmp_path / "pki"
    pki.mkdir()
    (pki / "trader.key").write_text("precious")

    ran = await run("dev-pki", pki)

    assert ran.code == ExitCode.CONFIGURATION
    assert "trader.key exists" in ran.err
    assert [path.name for path in pki.iterdir()] == ["trader.key"]


async def test_policy_check_says_that_nothing_fails_open(run: Run, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(wire.POLICY)

    ran = await run("policy", "check", tmp_path / "policy.toml", "--json")

    assert ran.code == ExitCode.OK
    assert ran.json["findings"] == []


async def test_policy_check_names_line_and_reason_of_what_fails_open(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(wire.POLICY.replace("max_approval = 4_000_000", f'max_approval = "{2**256 - 1}"'))
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "max_approval" in text)

    ran = await run("policy", "check", path)

    assert ran.code == ExitCode.FINDINGS
    assert f"line {line}: " in ran.out
    assert "max_approval" in ran.out


@pytest.mark.parametrize("content", ["garbage", None])
async def test_policy_check_of_no_policy_is_a_configuration_error(
    run: Run, tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "policy.toml").write_text(content)

    ran = await run("policy", "check", tmp_path / "policy.toml")

    assert ran.code == ExitCode.CONFIGURATION
    assert "policy.toml" in ran.err


async def test_audit_verify_of_no_trail_is_a_configuration_error(run: Run, tmp_path: Path) -> None:
    ran = await run("audit", "verify", tmp_path / "audit.jsonl")

    assert ran.code == ExitCode.CONFIGURATION


async def test_audit_verify_finds_garbage(run: Run, tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").write_text("garbage\n")

    ran = await run("audit", "verify", tmp_path / "audit.jsonl", "--json")

    assert ran.code == ExitCode.FINDINGS
    assert ran.json["problem"]


async def test_the_doctor_finds_everything_fine(run: Run, tmp_path: Path, node: FakeNode) -> None:
    config = await _setup(run, tmp_path, node)

    ran = await run("doctor", "--config", config, "--json")
    shown = await run("doctor", "--config", config)

    assert (ran.code, ran.json["fine"]) == (ExitCode.OK, True), ran.out
    assert shown.code == ExitCode.OK
    assert not (tmp_path / "ledger.sqlite").exists()  # a doctor changes nothing


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("certificates", "server.pem"),
        ("policy", "policy.toml"),
        ("ledger", "ledger.sqlite"),
        ("backend dev", "allowed is that address"),
        ("chain eip155:31337", "is on chain 1"),
    ],
)
async def test_the_doctor_names_each_part_that_is_not_fine(
    run: Run, tmp_path: Path, node: FakeNode, part: str, said: str
) -> None:
    config = await _setup(run, tmp_path, node)
    match part:
        case "certificates":
            (tmp_path / "pki" / "server.pem").write_text("garbage")
        case "policy":
            (tmp_path / "policy.toml").unlink()
        case "ledger":
            (tmp_path / "ledger.sqlite").write_bytes(b"garbage" * 1_000)
        case "backend dev":
            config.write_text(config.read_text().replace("mnemonic_index = 1", "mnemonic_index = 2"))
        case _:
            node.chain_id = 1

    ran = await run("doctor", "--config", config, "--json")

    checks = ran.json["checks"]
    assert isinstance(checks, list)
    assert ran.code == ExitCode.FINDINGS
    assert {check["part"] for check in checks if not check["fine"]} == {part}
    assert said in next(check["seen"] for check in checks if check["part"] == part)


async def test_the_doctor_needs_settings(run: Run, tmp_path: Path) -> None:
    ran = await run("doctor", "--config", tmp_path / "signer.toml")

    assert ran.code == ExitCode.CONFIGURATION
    assert "signer.toml: cannot be read" in ran.err


async def test_an_operator_pauses_looks_and_resumes(run: Run, edge: EdgeRig) -> None:
    at = ("--address", edge.address, "--pki", edge.pki, "--json")

    paused = await run("pause", *at, "--reason", "lunch")
    nonces = await run("reconcile-nonces", *at, "--account", wire.ACCOUNT)
    reloaded = await run("reload-policy", *at, "--dry-run")
    resumed = await run("resume", *at)

    assert len(str(paused.json["paused_accounts"])) > len("[]")
    assert nonces.json["findings"] == []
    assert reloaded.json["policy_hash"] == reloaded.json["previous_policy_hash"]
    assert resumed.json == {"paused_accounts": []}


async def test_a_trader_who_tries_to_operate_is_refused(run: Run, edge: EdgeRig) -> None:
    files = ("--certificate", edge.pki / "trader.pem", "--key", edge.pki / "trader.key")

    ran = await run("pause", "--address", edge.address, *files, "--ca", edge.pki / "ca.pem")

    assert ran.code == ExitCode.REFUSED
    assert "PERMISSION_DENIED" in ran.err


async def test_a_signer_that_is_not_there_is_unreachable(run: Run, edge: EdgeRig) -> None:
    ran = await run("resume", "--address", "127.0.0.1:1", "--pki", edge.pki)

    assert ran.code == ExitCode.UNREACHABLE
    assert "out of reach" in ran.err


@pytest.mark.parametrize("arguments", [(), ("fly",), ("pause",), ("pause", "--address", "127.0.0.1:1")])
def test_a_wrong_command_line_ends_with_2(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        commands.run(arguments)

    assert caught.value.code == ExitCode.USAGE


def test_every_exit_code_is_explained_in_the_help() -> None:
    text = commands.parser().format_help()

    assert set(MEANING) == set(ExitCode)
    assert all(meaning in text for meaning in MEANING.values())


async def _setup(run: Run, folder: Path, node: FakeNode) -> Path:
    await run("dev-pki", folder / "pki")
    (folder / "policy.toml").write_text(wire.POLICY)
    config = folder / "signer.toml"
    config.write_text(SETTINGS.format(url=node.url, account=wire.ACCOUNT))
    return config


def test_the_documented_exit_codes_and_commands_are_the_real_ones() -> None:
    text = (Path(__file__).parents[2] / "docs" / "signer-commands.md").read_text()

    for code, meaning in MEANING.items():
        assert f"| {code.value} | {meaning} |" in text
    for name in ("run", "dev-pki", "mock", "policy", "audit", "doctor", "pause", "resume", "reload-policy"):
        assert name in commands.parser().format_help()
        assert f"`{name}" in text
