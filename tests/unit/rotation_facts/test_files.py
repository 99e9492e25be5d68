"""Ages are read from the files themselves; what cannot be read is said, not left out."""

import os
from pathlib import Path

import pytest

from signer.adapters.audit_file.checkpoint_file import checkpoint_path
from signer.adapters.pki.authority import Authority
from signer.adapters.rotation_facts.certificates import CertificateAges
from signer.adapters.rotation_facts.files import FileAges
from signer.adapters.sqlite import SqliteLedger
from signer.domain.rotating import Fact, Rotating
from signer.domain.time import MS_PER_S, UnixMs
from tests.fakes.clock import START, FakeClock
from tests.fakes.reservations import ACCOUNT, reservation
from tests.unit.audit.checkpoints import MemoryCheckpointKey, write_checkpointed
from tests.unit.audit.trail import write_trail


def ages(folder: Path) -> FileAges:
    return FileAges(
        policy=folder / "policy.toml",
        ledger=folder / "ledger.sqlite",
        audit=folder / "audit.jsonl",
        checkpoint_every_s=3_600,
    )


async def _one(folder: Path, what: Rotating) -> Fact:
    (fact,) = [fact for fact in await ages(folder).facts() if fact.what is what]
    return fact


async def test_a_policy_is_as_old_as_its_file(tmp_path: Path) -> None:
    missing = await _one(tmp_path, Rotating.POLICY)
    (tmp_path / "policy.toml").touch()
    os.utime(tmp_path / "policy.toml", (1_000, 1_000))

    assert "No such file" in missing.problem
    assert (await _one(tmp_path, Rotating.POLICY)).since == 1_000 * MS_PER_S


async def test_an_account_is_as_old_as_its_first_reservation(tmp_path: Path) -> None:
    clock = FakeClock()
    async with SqliteLedger(tmp_path / "ledger.sqlite", clock) as ledger:
        await ledger.open_account(ACCOUNT, 0, UnixMs(START - 5))
        unused = await _one(tmp_path, Rotating.ACCOUNT)
        await ledger.reserve(reservation(1, UnixMs(START + 7)))
        used = await _one(tmp_path, Rotating.ACCOUNT)

    assert (unused.name, unused.since) == (ACCOUNT, START - 5)
    assert used.since == START + 7


async def test_a_ledger_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"garbage" * 1_000)

    assert "the ledger cannot be read" in (await _one(tmp_path, Rotating.ACCOUNT)).problem


async def test_a_checkpoint_is_due_only_while_records_wait_for_one(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    none = await _one(tmp_path, Rotating.CHECKPOINT)
    await write_checkpointed(path, MemoryCheckpointKey())
    covered = await _one(tmp_path, Rotating.CHECKPOINT)
    await write_trail(path, 1)
    waiting = await _one(tmp_path, Rotating.CHECKPOINT)
    checkpoint_path(path).write_text("tomorrow\n")

    assert "no checkpoint yet" in none.problem
    assert (covered.since, covered.due) == (START, None)
    assert (waiting.since, waiting.due) == (START, START + 2 * 3_600 * MS_PER_S)
    assert "no JSON" in (await _one(tmp_path, Rotating.CHECKPOINT)).problem


async def test_every_certificate_and_list_has_its_life(tmp_path: Path) -> None:
    authority = Authority(name="test", now=START)
    issued = authority.server(uri="spiffe://airlock.test/signer", hosts=["localhost"])
    (tmp_path / "server.pem").write_bytes(issued.certificate)
    (tmp_path / "ca.pem").write_bytes(authority.own.certificate * 2)
    facts = await CertificateAges(
        server=tmp_path / "server.pem",
        client_authority=tmp_path / "ca.pem",
        revocation_list=tmp_path / "crl.pem",
    ).facts()

    assert [(fact.what, fact.name) for fact in facts] == [
        (Rotating.SERVER_CERTIFICATE, "server.pem"),
        (Rotating.CLIENT_AUTHORITY, "ca.pem"),
        (Rotating.CLIENT_AUTHORITY, "ca.pem#2"),
        (Rotating.REVOCATION_LIST, "crl.pem"),
    ]
    assert all(fact.since and fact.ends and fact.since <= START < fact.ends for fact in facts[:3])
    assert "No such file" in facts[3].problem


@pytest.mark.parametrize("content", [b"", b"garbage"])
async def test_what_is_no_certificate_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "server.pem").write_bytes(content)
    facts = await CertificateAges(
        server=tmp_path / "server.pem", client_authority=tmp_path / "server.pem", revocation_list=None
    ).facts()

    assert [fact.problem for fact in facts] == ["is not PEM of that kind"] * 2
