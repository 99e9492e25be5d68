from pathlib import Path

import pytest

from signer.adapters.trezor_device.credentials import (
    HostCredential,
    read_credentials,
    require_storable,
    store_credential,
)
from signer.domain.errors import ConfigurationError

FIRST = HostCredential(trezor_pubkey=b"\1" * 32, host_privkey=b"\2" * 32, credential=b"\3" * 40)
SECOND = HostCredential(trezor_pubkey=b"\4" * 32, host_privkey=b"\5" * 32, credential=b"\6" * 40)


def test_what_is_stored_is_read_and_only_its_owner_can(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    store_credential(path, FIRST)
    store_credential(path, SECOND)

    assert list(read_credentials(path)) == [FIRST, SECOND]
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["credentials"]


def test_pairing_again_replaces_the_credential_of_the_device(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    store_credential(path, FIRST)
    again = HostCredential(
        trezor_pubkey=FIRST.trezor_pubkey, host_privkey=b"\7" * 32, credential=b"\7", autoconnect=True
    )
    store_credential(path, again)

    assert list(read_credentials(path)) == [again]


def test_a_credential_shows_no_secret() -> None:
    assert "\\x02" not in repr(FIRST)
    assert "\\x03" not in repr(FIRST)


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "credentials"

    with pytest.raises(ConfigurationError, match="cannot be written"):
        require_storable(path)
    with pytest.raises(ConfigurationError, match="cannot be written"):
        store_credential(path, FIRST)


def test_no_file_is_no_credential(tmp_path: Path) -> None:
    assert list(read_credentials(None)) == []
    assert list(read_credentials(tmp_path / "absent")) == []


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "credentials"
    store_credential(path, FIRST)
    path.chmod(mode)

    with pytest.raises(ConfigurationError, match="0600"):
        read_credentials(path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[1]",
        '[{"trezor_pubkey": "aa"}]',
        '[{"trezor_pubkey":"aa","host_privkey":"c0ffee","credential":"aa"}]',
        '[{"trezor_pubkey":"zz","host_privkey":"c0ffee","credential":"aa"}]',
    ],
)
def test_a_file_without_credentials_is_refused_and_never_quoted(tmp_path: Path, content: str) -> None:
    path = tmp_path / "credentials"
    path.write_text(content)
    path.chmod(0o600)

    with pytest.raises(ConfigurationError, match="pair the device again") as caught:
        read_credentials(path)

    assert "c0ffee" not in str(caught.value)
    assert caught.value.__cause__ is None
