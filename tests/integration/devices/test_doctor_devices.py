"""What `airlock-signer doctor` says of devices: a missing one warns, another seed is a finding."""

import json
from pathlib import Path

import pytest

from signer.adapters.device.lock import DeviceLock
from tests.integration.devices.device_program import EVM, a_ledger, a_trezor, command, settings
from tests.integration.devices.ledger_rig import OTHER_MNEMONIC

_LEDGER, _TREZOR = f"ledger desk: eip155:1:{EVM.lower()}", f"trezor safe: eip155:137:{EVM.lower()}"


def test_devices_that_could_sign_are_fine(tmp_path: Path) -> None:
    with a_ledger() as (ledger, at_ledger), a_trezor() as (trezor, at_trezor):
        settings(tmp_path, ledger=at_ledger, trezor=at_trezor)
        rows = _doctor(tmp_path)

        assert [(rows[part]["fine"], rows[part]["warning"]) for part in (_LEDGER, _TREZOR)] == [
            (True, False),
            (True, False),
        ]
        assert (ledger.reviews, trezor.shown) == ([], [])
    assert "Ethereum 1.22.0" in str(rows[_LEDGER]["seen"])
    assert "firmware 2.10.0" in str(rows[_TREZOR]["seen"])


@pytest.mark.parametrize(
    ("how", "what_to_do"),
    [
        ("away", "plug it in"),
        ("locked", "unlock it with its PIN"),
        ("wrong app", "open the application Ethereum"),
        ("not blind", "Blind signing: Enabled"),
        ("used", "stop it, then ask again"),
    ],
)
def test_a_device_that_a_person_must_see_to_is_a_warning(tmp_path: Path, how: str, what_to_do: str) -> None:
    with a_ledger() as (ledger, where):
        settings(tmp_path, ledger=where)
        running = DeviceLock(tmp_path / "desk.lock")
        match how:
            case "away":
                ledger.unplug()
            case "locked":
                ledger.locked = True
            case "wrong app":
                ledger.open_app("Solana")
            case "not blind":
                ledger.blind(on=False)
            case _:
                running.take()
        row = _doctor(tmp_path)[_LEDGER]
        running.release()

    assert (row["fine"], row["warning"]) == (True, True)
    assert what_to_do in str(row["seen"])


def test_another_seed_than_the_pinned_one_is_a_finding(tmp_path: Path) -> None:
    with a_ledger() as (ledger, where):
        settings(tmp_path, ledger=where)
        ledger.seed(OTHER_MNEMONIC)
        row = _doctor(tmp_path)[_LEDGER]

    assert (row["fine"], row["warning"]) == (False, False)
    assert "connect the device that was pinned" in str(row["seen"])


def test_a_place_that_cannot_be_is_a_finding(tmp_path: Path) -> None:
    settings(tmp_path, ledger="tcp:10.0.0.1:9999")

    row = _doctor(tmp_path)["devices"]

    assert row["fine"] is False
    assert "127.0.0.1:PORT" in str(row["seen"])


def test_the_table_tells_a_warning_from_a_finding(tmp_path: Path) -> None:
    settings(tmp_path, ledger="tcp:127.0.0.1:1")

    ended = command("doctor", "--config", "signer.toml", folder=tmp_path)

    assert "warning" in ended.stdout
    assert "Traceback" not in ended.stderr


def _doctor(folder: Path) -> dict[str, dict[str, object]]:
    ended = command("doctor", "--config", "signer.toml", "--json", folder=folder)
    return {row["part"]: row for row in json.loads(ended.stdout)["checks"]}
