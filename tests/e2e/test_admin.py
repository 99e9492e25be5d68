"""The operator's commands against a running signer: a change holds, and a wrong one changes nothing."""

import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from tests.e2e.asking import asking, refusal, swap
from tests.e2e.scene import Ended, Scene, Stage, command_line, operator
from tests.fakes import wire
from tests.testbed.processes import Child
from tests.testbed.signer_program import PROGRAM, TRADER_SAN, serving
from tests.testbed.uniswap import USDX_UNIT

pytestmark = pytest.mark.asyncio(loop_scope="module")

OK, FINDINGS, REFUSED = 0, 1, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    scene: Scene
    signer: Child


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    async with Scene.open(stage, tmp_path_factory.mktemp("office")) as scene, scene.serve() as signer:
        yield Office(scene=scene, signer=signer)


async def test_a_pause_holds_at_once_and_over_a_sigkill_until_it_is_resumed(office: Office) -> None:
    files = office.scene.signer
    paused = await operator(files, "pause", "--account", files.account, "--reason", "fire drill")
    while_paused = await refusal(files, swap(files, "while-paused"))
    office.signer.kill()
    office.signer.start()
    await serving(files, office.signer)
    after_restart = await refusal(files, swap(files, "after-restart"))
    resumed = await operator(files, "resume")
    async with asking(files) as asker:
        signed = await asker.sign(swap(files, "after-resume"))

    assert str(_json(paused)["paused_accounts"]).lower() == str([files.account])
    assert _json(resumed) == {"paused_accounts": []}
    for error in (while_paused, after_restart):
        assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert wire.reasons(error) == ["ACCOUNT_PAUSED"]
        assert "fire drill" in (error.details() or "")
    assert signed.nonce == 0


async def test_a_traders_certificate_commands_nothing(office: Office, tmp_path: Path) -> None:
    files = office.scene.signer
    for suffix in ("pem", "key"):
        shutil.copy(files.pki / f"trader.{suffix}", tmp_path / f"admin.{suffix}")
    shutil.copy(files.pki / "ca.pem", tmp_path)
    where = ("--address", f"127.0.0.1:{files.admin_port}", "--pki", str(tmp_path))
    ended = await command_line(PROGRAM, "pause", *where)

    assert ended.code == REFUSED
    assert "PERMISSION_DENIED" in ended.err
    assert f"{TRADER_SAN} has no grant for Pause" in ended.err
    async with asking(files) as asker:
        assert (await asker.state()).pause_reason == ""


async def test_a_reload_changes_the_policy_and_an_invalid_one_leaves_the_old_in_force(office: Office) -> None:
    files = office.scene.signer
    text, dear = files.policy.read_text(), 2_000 * USDX_UNIT
    before = _json(await operator(files, "reload-policy", "--dry-run"))
    files.policy.write_text(text.replace(f'max_per_trade = "{dear}"', f'max_per_trade = "{USDX_UNIT}"'))
    reloaded = _json(await operator(files, "reload-policy"))
    too_much = await refusal(files, swap(files, "too-much-now", amount=2 * USDX_UNIT))
    broken = {
        "fails open": text.replace(f'max_per_trade = "{dear}"', f'max_per_trade = "{2**256 - 1}"'),
        "unknown key": text.replace("version = 1", "version = 1\nallow_everything = true"),
        "no TOML": text[: len(text) // 2] + "[[[",
    }
    refusals = {}
    for what, content in broken.items():
        files.policy.write_text(content)
        refusals[what] = await operator(files, "reload-policy")
    async with asking(files) as asker:
        judged_by = (await asker.sign(swap(files, "still-the-old-one"))).policy_hash

    assert before["policy_hash"] == before["previous_policy_hash"] == reloaded["previous_policy_hash"]
    assert reloaded["policy_hash"] != before["policy_hash"]
    assert wire.reasons(too_much) == ["AMOUNT_TOO_HIGH"]
    for what, ended in refusals.items():
        assert ended.code == REFUSED, (what, ended)
        assert str(files.policy) in ended.err, (what, ended)
    assert judged_by == reloaded["policy_hash"]


async def test_after_all_of_this_the_audit_trail_is_whole_and_one_changed_byte_is_found(
    office: Office, tmp_path: Path
) -> None:
    files = office.scene.signer
    whole = await command_line(PROGRAM, "audit", "verify", str(files.audit), "--json")
    lines = files.audit.read_bytes().splitlines(keepends=True)
    middle = len(lines) // 2
    copy = tmp_path / files.audit.name
    for name in (path.name for path in files.folder.glob(f"{files.audit.name}*")):
        shutil.copy(files.folder / name, tmp_path / name)
    changed = bytearray(lines[middle])
    place = changed.index(b'"at":') + 8
    changed[place] = ord("7") if changed[place] != ord("7") else ord("8")
    copy.write_bytes(b"".join([*lines[:middle], bytes(changed), *lines[middle + 1 :]]))
    forged = await command_line(PROGRAM, "audit", "verify", str(copy), "--json")

    assert whole.code == OK, whole
    assert json.loads(whole.out)["records"] == len(lines) - 1 > 5  # the first line begins the chain
    assert forged.code == FINDINGS
    assert json.loads(forged.out)["problem"]["line"] == middle + 1


def _json(ended: Ended) -> dict[str, object]:
    assert ended.code == OK, ended
    answer: dict[str, object] = json.loads(ended.out)
    return answer
