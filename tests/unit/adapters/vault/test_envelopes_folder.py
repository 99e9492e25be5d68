import errno
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from signer.adapters.vault.envelope import Envelope
from signer.adapters.vault.envelopes import FileEnvelopes
from signer.domain.accounts import AccountId
from signer.domain.errors import BrokenError, UnavailableError

ACCOUNT = AccountId("eip155:1:0x" + "ab" * 20)
OTHER = AccountId("eip155:1:0x" + "cd" * 20)
ENVELOPE = Envelope(account=ACCOUNT, ciphertext="vault:v1:AAAA", wrapping_key="airlock-envelopes")


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> FileEnvelopes:
    return FileEnvelopes(tmp_path / "envelopes")


async def test_what_is_stored_is_read_back(store: FileEnvelopes) -> None:
    assert await store.read(ACCOUNT) is None
    assert await store.accounts() == ()

    assert await store.create(ENVELOPE)

    assert await store.read(ACCOUNT) == ENVELOPE
    assert await store.accounts() == (ACCOUNT,)


async def test_nothing_is_overwritten_unseen(store: FileEnvelopes) -> None:
    newer = replace(ENVELOPE, ciphertext="vault:v2:BBBB")
    await store.create(ENVELOPE)

    assert not await store.create(newer)
    assert not await store.replace(newer, ENVELOPE)
    assert await store.read(ACCOUNT) == ENVELOPE
    assert await store.replace(ENVELOPE, newer)
    assert await store.read(ACCOUNT) == newer


async def test_files_are_for_their_owner_only(store: FileEnvelopes, tmp_path: Path) -> None:
    await store.create(ENVELOPE)
    await store.replace(ENVELOPE, replace(ENVELOPE, ciphertext="vault:v2:BBBB"))

    (file,) = (tmp_path / "envelopes" / "accounts").iterdir()

    assert file.name == f"eip155_1_0x{'ab' * 20}.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_the_first_successor_stays(store: FileEnvelopes) -> None:
    third = AccountId("eip155:1:0x" + "ef" * 20)

    assert await store.successor(ACCOUNT) is None
    assert await store.choose_successor(ACCOUNT, OTHER) == OTHER
    assert await store.choose_successor(ACCOUNT, third) == OTHER
    assert await store.successor(ACCOUNT) == OTHER


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"account": 1}', '{"version": "1"}', "\xff", "[" * 9_000]
)
async def test_a_file_that_is_no_envelope_is_named(
    store: FileEnvelopes, tmp_path: Path, content: str
) -> None:
    await store.create(ENVELOPE)
    (file,) = (tmp_path / "envelopes" / "accounts").iterdir()
    file.write_text(content)

    with pytest.raises(BrokenError, match="eip155_1_0xabab"):
        await store.read(ACCOUNT)


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "envelopes").touch()
    store = FileEnvelopes(tmp_path / "envelopes")

    with pytest.raises(UnavailableError, match="cannot be written"):
        await store.create(ENVELOPE)
    with pytest.raises(UnavailableError, match="cannot be written"):
        await store.choose_successor(ACCOUNT, OTHER)


async def test_a_file_that_cannot_be_written_whole_leaves_nothing_beside_it(
    store: FileEnvelopes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.create(ENVELOPE)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(UnavailableError, match="No space"):
        await store.replace(ENVELOPE, replace(ENVELOPE, ciphertext="vault:v2:BBBB"))
    assert len(list((tmp_path / "envelopes" / "accounts").iterdir())) == 1
    assert await store.read(ACCOUNT) == ENVELOPE
