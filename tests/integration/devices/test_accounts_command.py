"""`airlock-signer accounts add`: what a person confirmed on the device is pinned, and nothing else."""

from pathlib import Path

import pytest

from signer.mock.devices.ledger.person import APPROVE, IGNORE, REJECT, Act
from signer.mock.devices.trezor.person import Decision, Press, Screen
from signer.settings import load
from tests.integration.devices.device_program import (
    EVM,
    EVM_PATH,
    SOLANA_PATH,
    Ended,
    a_ledger,
    a_trezor,
    command,
    interrupted,
    program,
    settings,
)

_OTHER_PATH = "m/44'/60'/0'/0/5"
_OTHER = "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc"


def _add(folder: Path, *arguments: str, path: str = EVM_PATH) -> Ended:
    return command(
        "accounts", "add", "--path", path, "--chain", "eip155:1", "--wallet", "large", *arguments,
        folder=folder,
    )  # fmt: skip


def test_a_confirmed_account_is_printed_as_its_tables(tmp_path: Path) -> None:
    with a_ledger() as (_, where):
        ended = program(
            "accounts", "add", "--ledger", where, "--path", EVM_PATH, "--chain", "eip155:1",
            "--wallet", "large", "--name", "desk", folder=tmp_path,
        )  # fmt: skip

    assert ended.stdout.splitlines() == [
        "[[ledgers]]",
        'name = "desk"',
        f'where = "{where}"',
        'lock_file = "desk.lock"',
        "",
        "[[accounts]]",
        f'id = "eip155:1:{EVM}"',
        'wallet = "large"',
        'backend = "ledger"',
        f'ledger = {{ device = "desk", path = "{EVM_PATH}" }}',
    ]
    assert f"the device must show {EVM}" in ended.stderr
    assert "in the policy" in ended.stderr


def test_a_new_ledger_is_appended_with_its_account_and_the_comments_stay(tmp_path: Path) -> None:
    file = settings(tmp_path)
    before = file.read_text()
    file.chmod(0o640)
    with a_ledger() as (_, where):
        ended = _add(tmp_path, "--ledger", where, "--name", "desk", "--settings", "signer.toml", "--write")

    after = load(file)
    assert ended.returncode == 0
    assert file.read_text().startswith(before)
    assert file.stat().st_mode & 0o777 == 0o640
    assert [(each.name, each.where) for each in after.ledgers] == [("desk", where)]
    assert after.accounts[-1].id == f"eip155:1:{EVM.lower()}"
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith(".new")] == []


def test_a_new_trezor_is_pinned_with_its_fingerprint(tmp_path: Path) -> None:
    file = settings(tmp_path)
    with a_trezor() as (trezor, where):
        ended = _add(
            tmp_path,
            "--trezor",
            where,
            "--allow-udp",
            "--name",
            "safe",
            "--settings",
            "signer.toml",
            "--write",
        )

    (device,) = load(file).trezors
    assert ended.returncode == 0
    assert device.fingerprint == trezor.root_fingerprint().hex()
    assert device.allow_udp
    assert trezor.shown == [("Address", EVM)]


def test_a_second_account_finds_the_table_of_its_device(tmp_path: Path) -> None:
    with a_ledger() as (_, where):
        file = settings(tmp_path, ledger=where)
        ended = _add(tmp_path, "--ledger", where, "--settings", "signer.toml", "--write", path=_OTHER_PATH)

    after = load(file)
    assert ended.returncode == 0
    assert len(after.ledgers) == 1
    assert after.accounts[-1].id == f"eip155:1:{_OTHER.lower()}"
    assert after.accounts[-1].ledger is not None
    assert after.accounts[-1].ledger.device == "desk"


@pytest.mark.parametrize("kind", ["ledger", "trezor"])
def test_nothing_is_written_that_a_person_did_not_confirm(tmp_path: Path, kind: str) -> None:
    file = settings(tmp_path)
    before = file.read_bytes()
    with a_ledger(REJECT) as (_, at_ledger), a_trezor(_rejecting) as (_, at_trezor):
        where = ("--ledger", at_ledger) if kind == "ledger" else ("--trezor", at_trezor, "--allow-udp")
        ended = _add(tmp_path, *where, "--settings", "signer.toml", "--write")

    assert (ended.returncode, ended.stdout) == (5, "")
    assert "rejected" in ended.stderr
    assert file.read_bytes() == before


def test_control_c_writes_nothing_is_no_success_and_ends_the_dialog_on_the_device(tmp_path: Path) -> None:
    file = settings(tmp_path)
    before = file.read_bytes()
    with a_ledger(IGNORE) as (ledger, where):
        code, said = interrupted(
            "accounts", "add", "--ledger", where, "--path", EVM_PATH, "--chain", "eip155:1",
            "--wallet", "large", "--settings", "signer.toml", "--write",
            once=lambda: ledger.review is not None, folder=tmp_path,
        )  # fmt: skip

        assert (code, ledger.review) == (5, None)
    assert "given up at the terminal" in said
    assert file.read_bytes() == before


def test_an_account_that_is_there_already_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    with a_ledger() as (ledger, where):
        file = settings(tmp_path, ledger=where)
        before = file.read_bytes()
        ended = _add(tmp_path, "--ledger", where, "--settings", "signer.toml", "--write")

        assert (ended.returncode, ledger.reviews) == (3, [])
    assert "already" in ended.stderr
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--chain", "eip155:10"), "[[chains]]"),
        (("--name", "desk"), "desk"),
    ],
)
def test_a_file_that_the_signer_would_not_start_with_is_never_written(
    tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    with a_ledger() as (_, other), a_ledger() as (_, where):
        file = settings(tmp_path, ledger=other)
        before = file.read_bytes()
        ended = _add(
            tmp_path, "--ledger", where, "--settings", "signer.toml", "--write", *arguments, path=_OTHER_PATH
        )

    assert ended.returncode == 3
    assert problem in ended.stderr
    assert file.read_bytes() == before


def test_a_known_device_keeps_its_name(tmp_path: Path) -> None:
    with a_ledger() as (_, where):
        settings(tmp_path, ledger=where)
        ended = _add(tmp_path, "--ledger", where, "--settings", "signer.toml", "--name", "other")

    assert ended.returncode == 3
    assert "desk in the settings" in ended.stderr


def test_writing_needs_to_know_where(tmp_path: Path) -> None:
    with a_ledger() as (ledger, where):
        ended = _add(tmp_path, "--ledger", where, "--write")

        assert (ended.returncode, ledger.commands) == (3, [])
    assert "--settings" in ended.stderr


def test_a_path_of_another_coin_is_refused(tmp_path: Path) -> None:
    with a_ledger() as (ledger, where):
        ended = _add(tmp_path, "--ledger", where, path=SOLANA_PATH)

        assert (ended.returncode, ledger.reviews) == (3, [])
    assert "m/44'/60'" in ended.stderr


@pytest.mark.parametrize("act", [APPROVE, IGNORE])
def test_a_locked_device_says_what_to_do(tmp_path: Path, act: Act) -> None:
    with a_ledger(act) as (ledger, where):
        ledger.locked = True
        ended = _add(tmp_path, "--ledger", where)

    assert ended.returncode == 4
    assert "PIN" in ended.stderr


def _rejecting(_: Screen) -> Decision:
    return Decision(press=Press.REJECT)
