"""`airlock-signer devices …` as a program, against doubles on TCP and UDP, with a person at a terminal."""

import json
import queue
from pathlib import Path

import pytest

from signer.adapters.device.lock import DeviceLock
from signer.adapters.device.on_usb import NO_ACCESS, OnUsb
from signer.cli.commands import run
from signer.cli.devices import listing
from signer.mock.devices.ledger.person import APPROVE, REJECT, Act
from signer.mock.devices.trezor.flavour import SAFE_7
from signer.mock.devices.trezor.person import Decision, Press
from tests.integration.devices.device_program import (
    EVM,
    EVM_PATH,
    SOLANA,
    SOLANA_PATH,
    a_ledger,
    a_trezor,
    at_a_terminal,
    command,
    program,
    settings,
)

_CODE = "the code that the Trezor shows:"


def test_an_address_is_read_without_anything_on_the_screen(tmp_path: Path) -> None:
    with a_ledger() as (ledger, at_ledger), a_trezor() as (trezor, at_trezor):
        first = command("devices", "address", "--ledger", at_ledger, "--path", EVM_PATH, folder=tmp_path)
        second = command(
            "devices", "address", "--trezor", at_trezor, "--allow-udp", "--path", SOLANA_PATH, "--json",
            folder=tmp_path,
        )  # fmt: skip

    assert (first.returncode, first.stdout) == (0, f"eip155:1:{EVM}\n")
    assert json.loads(second.stdout) == {
        "account": f"solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:{SOLANA}",
        "address": SOLANA,
        "path": SOLANA_PATH,
        "confirmed": False,
        "fingerprint": trezor.root_fingerprint().hex(),
    }
    assert (ledger.reviews, trezor.shown) == ([], [])


def test_an_address_is_compared_on_the_device(tmp_path: Path) -> None:
    with a_ledger() as (ledger, at_ledger), a_trezor() as (trezor, at_trezor):
        first = program(
            "devices", "address", "--ledger", at_ledger, "--path", EVM_PATH, "--chain", "eip155:137",
            "--show", folder=tmp_path,
        )  # fmt: skip
        second = command(
            "devices", "address", "--trezor", at_trezor, "--allow-udp", "--path", EVM_PATH, "--show",
            folder=tmp_path,
        )  # fmt: skip

        assert (first.stdout, second.stdout) == (f"eip155:137:{EVM}\n", f"eip155:1:{EVM}\n")
        assert [list(each.screens) for each in ledger.reviews] == [[EVM]]
        assert trezor.shown == [("Address", EVM)]
    assert f"the device must show {EVM}" in first.stderr


@pytest.mark.parametrize("path", [EVM_PATH, SOLANA_PATH])
def test_a_person_who_sees_another_address_says_no(tmp_path: Path, path: str) -> None:
    app = "Ethereum" if path == EVM_PATH else "Solana"
    with a_ledger(REJECT, app=app) as (_, at_ledger), a_trezor(_rejecting) as (_, at_trezor):
        first = command(
            "devices", "address", "--ledger", at_ledger, "--path", path, "--show", folder=tmp_path
        )
        second = command(
            "devices", "address", "--trezor", at_trezor, "--allow-udp", "--path", path, "--show",
            folder=tmp_path,
        )  # fmt: skip

    assert [(each.returncode, each.stdout) for each in (first, second)] == [(5, ""), (5, "")]
    assert "rejected" in first.stderr
    assert "rejected" in second.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (("--ledger", "tcp:10.0.0.1:9999"), 3, "127.0.0.1:PORT"),
        (("--ledger", "tcp:127.0.0.1:1"), 4, "plug it in"),
        (("--trezor", "udp:127.0.0.1:1"), 3, "allow_udp"),
        (("--trezor", "bridge:1"), 3, "names no Trezor"),
        (("desk",), 3, "--settings"),
        ((), 2, "required"),
        (("--ledger", "serial:1", "--trezor", "serial:1"), 2, "not allowed with"),
    ],
)
def test_a_device_that_cannot_be_is_named(
    tmp_path: Path, arguments: tuple[str, ...], code: int, problem: str
) -> None:
    ended = command("devices", "address", *arguments, "--path", EVM_PATH, folder=tmp_path)

    assert (ended.returncode, ended.stdout) == (code, "")
    assert problem in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_environment_that_chooses_the_device_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TREZOR_PATH", "udp:127.0.0.1:1")

    assert run(["devices", "list"]) == 3
    assert "TREZOR_PATH" in capsys.readouterr().err


def test_a_path_that_the_application_has_not_is_refused_before_the_device_is_asked(tmp_path: Path) -> None:
    with a_ledger() as (ledger, where):
        ended = command("devices", "address", "--ledger", where, "--path", "m/44'/0'/0'", folder=tmp_path)

        assert (ended.returncode, ledger.commands) == (3, [])
    assert "m/44'/60'" in ended.stderr


@pytest.mark.parametrize("app", ["Ethereum", "Solana"])
@pytest.mark.parametrize("act", [APPROVE, REJECT])
def test_a_ledger_is_identified_by_what_it_shows_whatever_is_pressed(
    tmp_path: Path, app: str, act: Act
) -> None:
    with a_ledger(act, app=app) as (ledger, where):
        ended = command("devices", "identify", "--ledger", where, folder=tmp_path)

        address = EVM if app == "Ethereum" else SOLANA
        assert ended.stdout == f"ledger: {where} is the device that showed {address}\n"
        assert [list(each.screens) for each in ledger.reviews] == [[address]]


def test_a_trezor_is_identified_by_its_name_in_thesettings(tmp_path: Path) -> None:
    with a_trezor() as (trezor, where):
        settings(tmp_path, trezor=where)
        ended = command("devices", "identify", "safe", "--settings", "signer.toml", folder=tmp_path)

        assert ended.stdout == f"safe: {where} is the device that showed {EVM}\n"
        assert trezor.shown == [("Address", EVM)]


def test_the_lock_of_the_settings_keeps_a_command_from_the_device_of_a_running_signer(
    tmp_path: Path,
) -> None:
    with a_ledger() as (ledger, where):
        settings(tmp_path, ledger=where)
        running = DeviceLock(tmp_path / "desk.lock")
        running.take()
        by_name = command("devices", "identify", "desk", "--settings", "signer.toml", folder=tmp_path)
        by_place = command(
            "devices", "identify", "--ledger", where, "--settings", "signer.toml", folder=tmp_path
        )
        running.release()

        assert (by_name.returncode, by_place.returncode, ledger.commands) == (4, 4, [])
    assert "another process has the device" in by_name.stderr


def test_a_safe_7_is_paired_by_a_person_who_types_the_code_that_it_shows(tmp_path: Path) -> None:
    codes: queue.SimpleQueue[str] = queue.SimpleQueue()
    with a_trezor(flavour=SAFE_7) as (trezor, where):
        trezor.state.on_code = codes.put
        given = ("devices", "pair", "--trezor", where, "--allow-udp", "--credentials", "safe.json")
        ended = at_a_terminal(*given, asks=_CODE, types=lambda: codes.get(timeout=60), folder=tmp_path)
        again = command(
            "devices", "address", "--trezor", where, "--allow-udp", "--path", EVM_PATH, folder=tmp_path
        )

    assert ended[0] == 0
    assert "is paired" in ended[1]
    assert (tmp_path / "safe.json").stat().st_mode & 0o777 == 0o600
    assert (again.returncode, "devices pair" in again.stderr) == (4, True)


def test_a_wrong_code_pairs_nothing(tmp_path: Path) -> None:
    with a_trezor(flavour=SAFE_7) as (_, where):
        given = ("devices", "pair", "--trezor", where, "--allow-udp", "--credentials", "safe.json")
        ended = at_a_terminal(*given, asks=_CODE, types=lambda: "12345", folder=tmp_path)

    assert ended[0] == 4
    assert "nothing is paired" in ended[1]
    assert not (tmp_path / "safe.json").exists()


@pytest.mark.parametrize("kind", ["ledger", "trezor"])
def test_what_needs_no_pairing_says_so(tmp_path: Path, kind: str) -> None:
    with a_ledger() as (_, at_ledger), a_trezor() as (_, at_trezor):
        where = ("--ledger", at_ledger) if kind == "ledger" else ("--trezor", at_trezor, "--allow-udp")
        ended = command("devices", "pair", *where, "--credentials", "safe.json", folder=tmp_path)

    assert ended.returncode != 0
    assert "needs no pairing" in ended.stderr


def test_the_list_says_how_the_devices_of_the_settings_are(tmp_path: Path) -> None:
    with a_ledger() as (ledger, at_ledger), a_trezor() as (trezor, at_trezor):
        settings(tmp_path, ledger=at_ledger, trezor=at_trezor)
        trezor.state.pin = "1"
        trezor.lock()
        seen = _list(tmp_path)

        assert [(row["name"], row["where"], row["ready"], row["reason"]) for row in seen] == [
            ("desk", at_ledger, True, ""),
            ("safe", at_trezor, False, "DEVICE_LOCKED"),
        ]
        assert [row["detail"] for row in seen] == ["Ethereum 1.22.0", "Trezor Model T, firmware 2.10.0"]
        assert (ledger.reviews, trezor.shown) == ([], [])


def test_the_list_names_strangers_on_usb_as_the_settings_want_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ledgers = [OnUsb(kind="ledger", where="serial:0001", model="Ledger Nano S Plus")]
    trezors = [OnUsb(kind="trezor", where="webusb:001:2", problem=NO_ACCESS)]
    monkeypatch.setattr(listing, "ledgers_on_usb", lambda: ledgers)
    monkeypatch.setattr(listing, "trezors_on_usb", lambda: trezors)

    assert run(["devices", "list", "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)["devices"]
    assert [(row["where"], row["state"]) for row in rows] == [
        ("serial:0001", "plugged in"),
        ("webusb:001:2", "no access"),
    ]
    assert "udev" in rows[1]["message"]
    assert run(["devices", "list"]) == 1
    assert "serial:0001" in capsys.readouterr().out


def test_what_a_device_calls_itself_is_text_and_no_command_to_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        listing, "ledgers_on_usb", lambda: [OnUsb(kind="ledger", where="serial:1", model="Nano [/x]")]
    )
    monkeypatch.setattr(listing, "trezors_on_usb", list)

    run(["devices", "list"])

    assert "Nano [/x]" in capsys.readouterr().out


def test_a_device_of_the_settings_is_no_stranger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plugged = [OnUsb(kind="ledger", where="serial:0001", also=("path:1-2",))]
    monkeypatch.setattr(listing, "ledgers_on_usb", lambda: plugged)
    monkeypatch.setattr(listing, "trezors_on_usb", list)
    settings(tmp_path, ledger="path:1-2")

    run(["devices", "list", "--settings", str(tmp_path / "signer.toml"), "--json"])
    rows = json.loads(capsys.readouterr().out)["devices"]

    assert [(row["name"], row["reason"]) for row in rows] == [("desk", "DEVICE_GONE")]


def _list(folder: Path) -> list[dict[str, object]]:
    ended = command("devices", "list", "--settings", "signer.toml", "--json", folder=folder)
    rows: list[dict[str, object]] = json.loads(ended.stdout)["devices"]
    return [row for row in rows if row["name"]]


def _rejecting(_: object) -> Decision:
    return Decision(press=Press.REJECT)
