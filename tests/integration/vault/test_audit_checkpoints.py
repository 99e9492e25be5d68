"""Checkpoints signed by a real Vault: every version checks, an outage only delays them."""

from pathlib import Path

import pytest

from signer.adapters.audit_file import AuditFile, verify
from signer.adapters.audit_file.checkpoint_file import CheckpointFile, checkpoint_path
from signer.adapters.audit_file.verify_checkpoints import verify_checkpoints
from signer.adapters.vault.checkpoint_key import VaultCheckpointKey, public_keys
from signer.adapters.vault.refusals import ItemRefused
from signer.adapters.vault.transit import Transit
from signer.domain.errors import ConfigurationError
from signer.service.audit_checkpoints import AuditCheckpoints
from tests.fakes.clock import FakeClock
from tests.testbed.vault import VaultServer
from tests.testbed.vault_api import PlainVaultApi
from tests.testbed.vault_ground import CHECKPOINT_KEY, TRANSIT, lay_ground
from tests.unit.audit.checkpoints import RHYTHM, RecordingLog
from tests.unit.audit.trail import record


async def test_checkpoints_of_each_version_check_against_vaults_public_keys(
    airlock_vault: VaultServer, tmp_path: Path
) -> None:
    path, clock = tmp_path / "audit.jsonl", FakeClock()
    transit = Transit(PlainVaultApi(airlock_vault), TRANSIT)
    async with AuditFile(path, clock) as trail, CheckpointFile(checkpoint_path(path), trail) as book:
        making = _making(trail, book, transit, clock)
        for _ in range(2):
            await trail.append(record(1))
            assert await making.make()
            await transit.rotate(CHECKPOINT_KEY)
    keys = await public_keys(transit, CHECKPOINT_KEY)
    report = verify_checkpoints(
        path,
        checkpoint_path(path),
        keys,
        records=verify(path).records,
        rhythm=RHYTHM,
        now=clock.now(),
    )

    assert (report.sound, report.covered, report.signed, report.problem) == (2, 2, True, None)


async def test_an_old_version_cannot_sign_any_more_and_still_checks(airlock_vault: VaultServer) -> None:
    transit = Transit(PlainVaultApi(airlock_vault), TRANSIT)
    await transit.create("retiring-audit", type_="ed25519")
    await transit.rotate("retiring-audit")
    await transit.configure("retiring-audit", min_encryption_version=2)
    (old,) = await transit.sign_batch("retiring-audit", [b"forged"], key_version=1)
    keys = await public_keys(transit, "retiring-audit")

    assert isinstance(old, ItemRefused)
    assert "less than the minimum encryption key version" in old.text
    assert set(keys.by_version) == {1, 2}


async def test_a_sealed_vault_delays_a_checkpoint_and_no_record(
    own_vault_server: VaultServer, tmp_path: Path
) -> None:
    await lay_ground(own_vault_server)
    path, clock = tmp_path / "audit.jsonl", FakeClock()
    transit = Transit(PlainVaultApi(own_vault_server), TRANSIT)
    async with AuditFile(path, clock) as trail, CheckpointFile(checkpoint_path(path), trail) as book:
        making = _making(trail, book, transit, clock)
        await own_vault_server.seal()
        for number in range(5):
            await trail.append(record(number))
        sealed = await making.make()
        await own_vault_server.unseal()
        again = await making.make()
        state = making.state

    assert (sealed, again) == (False, True)
    assert (state.last_seq, state.uncovered, state.problem) == (5, 0, "")


async def test_a_key_of_another_kind_is_refused(airlock_vault: VaultServer) -> None:
    transit = Transit(PlainVaultApi(airlock_vault), TRANSIT)

    with pytest.raises(ConfigurationError, match="ed25519 is allowed"):
        await public_keys(transit, "airlock-envelopes")
    with pytest.raises(ConfigurationError, match="vault bootstrap"):
        await public_keys(transit, "nothing")


def _making(trail: AuditFile, book: CheckpointFile, transit: Transit, clock: FakeClock) -> AuditCheckpoints:
    key = VaultCheckpointKey(transit, CHECKPOINT_KEY)
    return AuditCheckpoints(trail=trail, key=key, book=book, rhythm=RHYTHM, clock=clock, log=RecordingLog())
