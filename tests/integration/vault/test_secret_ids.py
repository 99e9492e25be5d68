"""A secret id that root delivers into the folder of somebody else."""

import os
from pathlib import Path

import pytest
from typing_extensions import override

from signer.adapters.vault.api import Body, Wrapped
from signer.adapters.vault.secret_ids import deliver_secret_id
from tests.unit.adapters.vault.test_lies import LyingVault

_SOMEBODY = 12_345


class Wrapping(LyingVault):
    """Wraps something."""

    @override
    async def write_wrapped(self, path: str, body: Body, *, ttl_s: int) -> Wrapped:
        return Wrapped(token="wrapping", ttl_s=ttl_s)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
async def test_the_owner_of_the_folder_cannot_be_given_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, roots = tmp_path / "secrets", tmp_path / "roots-own"
    folder.mkdir()
    os.chown(folder, _SOMEBODY, _SOMEBODY)
    roots.touch()
    flush = os.fsync

    def exchange_the_file(descriptor: int) -> None:
        flush(descriptor)
        (beside,) = folder.iterdir()
        beside.unlink()
        beside.symlink_to(roots)

    monkeypatch.setattr(os, "fsync", exchange_the_file)

    await deliver_secret_id(Wrapping({}), mount="approle", role="r", to=folder / "secret-id", ttl_s=60)

    assert roots.stat().st_uid == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
async def test_the_owner_of_the_folder_can_read_what_root_delivered(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "secret-id"
    file.parent.mkdir()
    os.chown(file.parent, _SOMEBODY, _SOMEBODY)

    await deliver_secret_id(Wrapping({}), mount="approle", role="r", to=file, ttl_s=60)

    assert (file.stat().st_uid, file.stat().st_mode & 0o777) == (_SOMEBODY, 0o600)
    assert file.read_text() == "wrapping"
