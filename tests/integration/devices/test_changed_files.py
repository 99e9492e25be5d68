"""Files that a command changes and the signer reads: whole, no change lost, and still of their owner."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from signer.adapters.trezor_device.credentials import HostCredential, read_credentials, store_credential
from signer.cli.accounts.write import append
from signer.domain.errors import ConfigurationError
from signer.settings import load
from tests.integration.devices.device_program import settings

_WRITERS = 8
_PATIENCE_S = 60


def _credential(number: int) -> HostCredential:
    return HostCredential(trezor_pubkey=bytes([number]) * 32, host_privkey=b"\2" * 32, credential=b"\3" * 40)


def _chain(number: int) -> str:
    return f'[[chains]]\nid = "eip155:{number}"\nrpc_url = "http://127.0.0.1:1"\n'


def _at_once(work: Callable[[int], None]) -> None:
    """Run it in many threads, which begin together."""
    together = threading.Barrier(_WRITERS, timeout=_PATIENCE_S)

    def run(number: int) -> None:
        together.wait()
        work(number)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(_WRITERS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(_PATIENCE_S)


def test_accounts_that_are_added_at_the_same_time_are_all_there(tmp_path: Path) -> None:
    file = settings(tmp_path)

    _at_once(lambda number: append(file, _chain(100 + number)))

    there = {each.id for each in load(file).chains}
    assert there >= {f"eip155:{100 + number}" for number in range(_WRITERS)}
    assert [each.name for each in tmp_path.iterdir()] == [file.name]


def test_devices_that_are_paired_at_the_same_time_are_all_paired(tmp_path: Path) -> None:
    file = tmp_path / "credentials"

    _at_once(lambda number: store_credential(file, _credential(number)))

    assert {each.trezor_pubkey[0] for each in read_credentials(file)} == set(range(_WRITERS))
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_file_of_a_service_stays_its_own_when_root_changes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of mode 0600 that became root's is one that the service cannot read at its next start."""
    owners: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _, user, group: owners.append((user, group)))
    file = settings(tmp_path)
    store_credential(tmp_path / "credentials", _credential(1))
    owners.clear()

    append(file, _chain(100))
    store_credential(tmp_path / "credentials", _credential(2))

    assert owners == [(file.stat().st_uid, file.stat().st_gid)] * 2


def test_a_settings_file_behind_a_link_stays_behind_it(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = settings(tmp_path / "real")
    link = tmp_path / "signer.toml"
    link.symlink_to(real)

    append(link, _chain(100))

    assert link.is_symlink()
    assert "eip155:100" in {each.id for each in load(real).chains}


def test_credentials_that_are_a_pipe_keep_nobody_waiting(tmp_path: Path) -> None:
    pipe, said = tmp_path / "credentials", list[str]()
    os.mkfifo(pipe, 0o600)

    def read() -> None:
        try:
            read_credentials(pipe)
        except ConfigurationError as error:
            said.append(str(error))

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    reading.join(_PATIENCE_S)

    assert "allowed is a file of mode 0600" in said[0]
