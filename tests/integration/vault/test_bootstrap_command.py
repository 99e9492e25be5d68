"""`airlock-signer vault bootstrap` as people and timers call it: what it prints, and how it ends."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from signer.cli import commands
from signer.cli.exit_codes import ExitCode
from tests.testbed.parts import require
from tests.testbed.vault import VaultServer
from tests.testbed.vault_files import copied

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    vault: VaultServer
    folder: Path

    def token(self, token: str, *, mode: int = 0o600) -> Path:
        path = self.folder / "token"
        path.unlink(missing_ok=True)
        path.touch(mode=mode)
        path.write_text(f"{token}\n", encoding="ascii")
        return path

    async def bootstrap(self, *arguments: str, token: str | Path | None = None) -> int:
        given = self.token(self.vault.root_token) if token is None else token
        where = ["--config", str(self.folder / "operator.toml"), "--folder", str(self.folder / "vault")]
        command = ["vault", "bootstrap", *where, "--token-file", str(given), *arguments]
        return await asyncio.to_thread(commands.run, command)


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="desk")
async def _desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    require("vault")
    folder = tmp_path_factory.mktemp("desk")
    async with VaultServer(audited=False) as vault:
        copied(vault, folder)
        settings = f'[vault]\naddress = "{vault.url}"\nca = "{vault.ca}"\n'
        (folder / "operator.toml").write_text(settings, encoding="utf-8")
        yield Desk(vault=vault, folder=folder)


async def test_without_a_word_nothing_is_changed(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    code = await desk.bootstrap()

    out, err = capsys.readouterr()
    assert code == ExitCode.FINDINGS
    assert "~ audit device file" in out
    assert "nothing was changed" in err
    assert await desk.vault.list("sys/policies/acl") == ["default", "root"]


async def test_twice_on_an_empty_server_changes_it_once(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    first = await desk.bootstrap("--yes")
    changed = capsys.readouterr().out
    second = await desk.bootstrap("--yes")
    again = capsys.readouterr().out

    assert (first, second) == (ExitCode.OK, ExitCode.OK)
    assert "21 changed, 0 left" in changed
    assert again == "0 changes: Vault is what the files say\n"
    assert desk.vault.root_token not in changed + again


async def test_the_check_finds_an_edited_policy_and_leaves_it(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    await desk.vault.write(
        "sys/policies/acl/airlock-signer", {"policy": 'path "x" { capabilities = ["read"] }'}
    )
    capsys.readouterr()

    found = await desk.bootstrap("--check", "--json")

    report = json.loads(capsys.readouterr().out)
    assert (found, report["fine"]) == (ExitCode.FINDINGS, False)
    assert [row["what"] for row in report["changes"]] == ["policy airlock-signer"]
    left = await desk.vault.read("sys/policies/acl/airlock-signer")
    assert str(left["policy"]).startswith("path")
    assert await desk.bootstrap("--yes") == ExitCode.OK


async def test_a_token_comes_from_a_descriptor_too(desk: Desk) -> None:
    read, write = os.pipe()
    os.write(write, desk.vault.root_token.encode())
    os.close(write)

    assert await desk.bootstrap("--check", token=str(read)) == ExitCode.OK


async def test_a_token_file_that_others_can_read_is_refused(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    file = desk.token(desk.vault.root_token)
    file.chmod(0o644)

    code = await desk.bootstrap("--check", token=file)

    out, err = capsys.readouterr()
    assert code == ExitCode.CONFIGURATION
    assert "allowed is a file of mode 0600" in err
    assert desk.vault.root_token not in out + err


async def test_a_token_that_vault_does_not_know_is_told_and_not_shown(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await desk.bootstrap("--check", token=desk.token("hvs.nobody"))

    out, err = capsys.readouterr()
    assert code == ExitCode.UNREACHABLE
    assert "hvs.nobody" not in out + err


async def test_a_role_without_the_right_changes_nothing(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    token = await desk.vault.token("airlock-auditor", no_default_policy=True)
    await desk.vault.write("sys/policies/acl/airlock-trader", {"policy": "# nothing"})

    code = await desk.bootstrap("--yes", token=desk.token(token))

    assert code == ExitCode.UNREACHABLE
    assert "sys/policies/acl/airlock-trader" in capsys.readouterr().err
    assert (await desk.vault.read("sys/policies/acl/airlock-trader"))["policy"] == "# nothing"
