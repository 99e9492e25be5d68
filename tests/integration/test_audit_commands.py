"""`airlock-signer audit verify` with checkpoints: what it prints, and with which code it ends."""

import json
from pathlib import Path

import pytest

from signer.adapters.audit_file.checkpoint_file import checkpoint_path
from signer.adapters.audit_file.head_file import head_path
from signer.adapters.audit_file.public_keys import dump
from signer.cli import commands
from signer.cli.exit_codes import ExitCode
from tests.unit.audit.checkpoints import MemoryCheckpointKey, write_checkpointed
from tests.unit.audit.trail import write_trail


class Verify:
    """`audit verify …`; exit code and output. The trails say 2027, so by today's clock nothing is late."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> tuple[int, str]:
        code = commands.run(["audit", "verify", *map(str, arguments)])
        out, err = self._capsys.readouterr()
        return code, out or err


@pytest.fixture
def key() -> MemoryCheckpointKey:
    return MemoryCheckpointKey()


@pytest.fixture
async def path(tmp_path: Path, key: MemoryCheckpointKey) -> Path:
    await write_checkpointed(tmp_path / "audit.jsonl", key)
    (tmp_path / "keys.json").write_text(dump(key.public))
    return tmp_path / "audit.jsonl"


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Verify:
    return Verify(capsys)


def test_checkpoints_beside_the_file_are_checked_with_the_pinned_key(path: Path, verify: Verify) -> None:
    code, out = verify(path, "--public-key", path.with_name("keys.json"), "--json")

    assert code == ExitCode.OK
    assert json.loads(out)["checkpoints"] == {
        "sound": 3,
        "covered": 12,
        "uncovered": 0,
        "signatures_checked": True,
        "problem": None,
        "gaps": [],
    }


def test_without_a_key_it_says_that_no_signature_was_checked(path: Path, verify: Verify) -> None:
    code, out = verify(path)

    assert code == ExitCode.OK
    assert "3 checkpoints are sound" in out
    assert "SIGNATURES NOT CHECKED" in out


async def test_a_trail_without_checkpoints_is_judged_as_ever_unless_they_are_demanded(
    tmp_path: Path, path: Path, verify: Verify
) -> None:
    alone = tmp_path / "alone.jsonl"
    await write_trail(alone, 2)
    judged = verify(alone, "--json")
    demanded = verify(alone, "--public-key", path.with_name("keys.json"))

    assert (judged[0], set(json.loads(judged[1]))) == (ExitCode.OK, {"records", "head_hash", "problem"})
    assert demanded[0] == ExitCode.CONFIGURATION
    assert "alone.jsonl.checkpoints: cannot be read" in demanded[1]


def test_a_trail_cut_with_everything_beside_it_is_found_by_checkpoints_kept_elsewhere(
    path: Path, verify: Verify
) -> None:
    kept = path.with_name("kept")
    checkpoint_path(path).rename(kept)
    head_path(path).unlink()
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    alone = verify(path)
    code, out = verify(path, "--checkpoints", kept, "--public-key", path.with_name("keys.json"))

    assert alone[0] == ExitCode.OK
    assert code == ExitCode.FINDINGS
    assert "checkpoint 3: it knows record 12" in out


def test_checkpoints_of_another_key_are_a_finding(path: Path, verify: Verify) -> None:
    path.with_name("keys.json").write_text(dump(MemoryCheckpointKey(seed=2).public))
    code, out = verify(path, "--public-key", path.with_name("keys.json"))

    assert code == ExitCode.FINDINGS
    assert "its signature is not that of" in out


def test_gaps_are_findings_until_somebody_explains_them(path: Path, verify: Verify) -> None:
    every = ("--every-records", "1")
    code, out = verify(path, *every)
    explained, _ = verify(path, *every, "--accept-gaps")

    assert (code, explained) == (ExitCode.FINDINGS, ExitCode.OK)
    assert "gap: records 0 to 4 were covered 0 s after the first of them" in out


def test_a_broken_chain_stays_a_finding_beside_sound_checkpoints(path: Path, verify: Verify) -> None:
    path.write_bytes(path.read_bytes().replace(b'"nonce":10', b'"nonce":11'))
    code, out = verify(path, "--public-key", path.with_name("keys.json"))

    assert code == ExitCode.FINDINGS
    assert "it was changed" in out
    assert "2 checkpoints are sound and cover records up to 8" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--public-key", "vault"), "needs --config signer.toml and --token-file"),
        (("--public-key", "nowhere.json"), "nowhere.json: cannot be read"),
        (("--checkpoints", "nowhere"), "nowhere: cannot be read"),
    ],
)
def test_what_cannot_be_used_is_named(
    path: Path, verify: Verify, arguments: tuple[str, ...], said: str
) -> None:
    code, out = verify(path, *arguments)

    assert code == ExitCode.CONFIGURATION
    assert said in out
