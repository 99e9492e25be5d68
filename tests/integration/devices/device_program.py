"""The program beside a double: settings that name it, commands against it, and a person at a terminal."""

import contextlib
import io
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from signer.adapters.dev_key.derivation import TEST_MNEMONIC
from signer.cli.commands import run
from signer.mock.devices.ledger.device import LedgerDevice
from signer.mock.devices.ledger.person import APPROVE, Act, always
from signer.mock.devices.ledger.server import LedgerServer
from signer.mock.devices.trezor.device import TrezorDevice
from signer.mock.devices.trezor.flavour import MODEL_T, Flavour
from signer.mock.devices.trezor.person import Person, approving
from signer.mock.devices.trezor.udp import UdpServer
from tests.testbed.processes import ROOT

EVM_PATH, SOLANA_PATH = "m/44'/60'/0'/0/0", "m/44'/501'/0'/0'"
EVM = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
SOLANA = "oeYf6KAJkLYhBuR8CiGc6L4D4Xtfepr85fuDgA9kq96"

_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
_PATIENCE_S = 120

_BASE = """# This file is mine.
listen = "127.0.0.1:7443"
ledger = "ledger.sqlite"
audit = "audit.jsonl"
policy = "policy.toml"

[tls]
certificate = "server.pem"
key = "server.key"
client_ca = "ca.pem"

[[chains]]
id = "eip155:1"
rpc_url = "http://127.0.0.1:1"

[[accounts]]
id = "eip155:1:0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
wallet = "hot"
backend = "dev"
dev = { mnemonic_index = 1 }

[[clients]]
san = "spiffe://airlock.local/trader"
role = "trader"  # as ever
"""
_LEDGER = """
[[ledgers]]
name = "desk"
where = "{where}"
lock_file = "desk.lock"
"""
_TREZOR = """
[[trezors]]
name = "safe"
where = "{where}"
lock_file = "safe.lock"
allow_udp = true
"""
_ACCOUNT = """
[[accounts]]
id = "{chain}:{address}"
wallet = "large"
backend = "{kind}"
{kind} = {{ device = "{device}", path = "{path}" }}
"""


def settings(folder: Path, *, ledger: str = "", trezor: str = "", accounts: bool = True) -> Path:
    """A settings file: devices where they are given, each with an account."""
    text = _BASE
    if ledger:
        text += _LEDGER.format(where=ledger)
    if trezor:
        text += _TREZOR.format(where=trezor)
    if ledger and accounts:
        text += _ACCOUNT.format(kind="ledger", device="desk", path=EVM_PATH, chain="eip155:1", address=EVM)
    if trezor and accounts:
        text = text.replace('rpc_url = "http://127.0.0.1:1"\n', _OTHER_CHAIN)
        text += _ACCOUNT.format(kind="trezor", device="safe", path=EVM_PATH, chain="eip155:137", address=EVM)
    file = folder / "signer.toml"
    file.write_text(text)
    return file


_OTHER_CHAIN = """rpc_url = "http://127.0.0.1:1"

[[chains]]
id = "eip155:137"
rpc_url = "http://127.0.0.1:1"
"""


@contextmanager
def a_ledger(act: Act = APPROVE, *, app: str | None = "Ethereum") -> Iterator[tuple[LedgerDevice, str]]:
    """A device with blind signing on, and where it is."""
    device = LedgerDevice(app=app, person=always(act))
    device.blind(on=True)
    with LedgerServer(device) as server:
        yield device, f"tcp:{server.address}"


@contextmanager
def a_trezor(person: Person = approving, *, flavour: Flavour = MODEL_T) -> Iterator[tuple[TrezorDevice, str]]:
    """A device without a PIN, and where it is."""
    device = TrezorDevice(mnemonic=TEST_MNEMONIC, flavour=flavour, person=person)
    with UdpServer(device) as server:
        yield device, f"udp:{server.address}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


def command(*arguments: str, folder: Path) -> Ended:
    """Run a command in this process, which takes a tenth of the time of a program."""
    out, problems = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), redirect_stdout(out), redirect_stderr(problems):
        try:
            code = run(arguments)
        except SystemExit as usage:  # argparse
            code = int(usage.code or 0)
    return Ended(returncode=code, stdout=out.getvalue(), stderr=problems.getvalue())


def program(*arguments: str, folder: Path) -> Ended:
    """Run a command as a program, to its end."""
    ended = subprocess.run(
        [sys.executable, "-m", "signer", *arguments],
        capture_output=True, text=True, timeout=_PATIENCE_S, check=False, cwd=folder, env=_ENVIRONMENT,
    )  # fmt: skip
    return Ended(returncode=ended.returncode, stdout=ended.stdout, stderr=ended.stderr)


def at_a_terminal(*arguments: str, asks: str, types: Callable[[], str], folder: Path) -> tuple[int, str]:
    """Run a command at a terminal whose person types a line when asked; its code and what it said."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "signer", *arguments],
        stdin=its, stdout=its, stderr=its, cwd=folder, env=_ENVIRONMENT, start_new_session=True,
    )  # fmt: skip
    os.close(its)
    try:
        said = _until(ours, lambda text: asks in text)
        os.write(ours, f"{types()}\n".encode())
        said += _until(ours, lambda _: False)
        return process.wait(timeout=_PATIENCE_S), said
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def interrupted(*arguments: str, once: Callable[[], bool], folder: Path) -> tuple[int, str]:
    """Run a command as a program, press Control-C when `once` is so; its code and its stderr."""
    # A shell lets what it runs in the background ignore Control-C, and the program would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "signer", *arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=folder, env=_ENVIRONMENT,
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    try:
        give_up_at = time.monotonic() + _PATIENCE_S
        while not once():
            assert time.monotonic() < give_up_at
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=_PATIENCE_S)
        return process.returncode, said
    finally:
        process.kill()
        process.communicate()


def _until(terminal: int, so: Callable[[str], bool]) -> str:
    """What is said until `so`, or until the program has left the terminal."""
    said, give_up_at = b"", time.monotonic() + _PATIENCE_S
    while not so(said.decode(errors="replace")):
        assert time.monotonic() < give_up_at, said
        if not select.select([terminal], [], [], 1)[0]:
            continue
        piece = b""
        with contextlib.suppress(OSError):  # Linux: nobody is at the other end any more
            piece = os.read(terminal, 4_096)
        if not piece:
            break
        said += piece
    return said.decode(errors="replace")
