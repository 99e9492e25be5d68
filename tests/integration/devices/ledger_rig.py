"""A Ledger backend over the double, or over a real application.

`AIRLOCK_LEDGER_TCP=host:port` names an emulator whose application was set up with the public mnemonic and has
blind signing on; `AIRLOCK_LEDGER_PRESS=command` is run as `command approve` when a person is
needed. Tests that script the device itself are for the double only.
"""

import asyncio
import os
import subprocess
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from solders.pubkey import Pubkey

from signer.adapters.device.states import DeviceState
from signer.adapters.ledger_device.backend import LedgerBackend, LedgerKey, LedgerPlace
from signer.adapters.ledger_device.session import Patience
from signer.decode.evm.envelope import signing_hash
from signer.decode.evm.recovery import recover_address
from signer.domain.accounts import AccountId, address_of
from signer.domain.transactions import UnsignedEvmTransaction
from signer.mock.devices.ledger.device import LedgerDevice
from signer.mock.devices.ledger.person import APPROVE, always
from signer.mock.devices.ledger.server import LedgerServer
from signer.ports.device import DevicePhase, DeviceProgress
from tests.integration.devices.ledger_wire import PlainClient
from tests.integration.key_backend_contract import PAYLOAD
from tests.testbed.accounts import dev_account

SOLANA_PUBLIC = "oeYf6KAJkLYhBuR8CiGc6L4D4Xtfepr85fuDgA9kq96"
EVM = AccountId(f"eip155:31337:{dev_account(0).address}")
SOLANA = AccountId(f"solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1:{SOLANA_PUBLIC}")
KEYS = (LedgerKey(account=EVM, path="m/44'/60'/0'/0/0"), LedgerKey(account=SOLANA, path="m/44'/501'/0'/0'"))
OTHER_MNEMONIC = "all all all all all all all all all all all all"
PATIENT = Patience(approval_ms=60_000, answer_ms=5_000, listen_ms=20, drain_ms=60_000)
SOON = Patience(approval_ms=400, answer_ms=700, listen_ms=20, drain_ms=60_000)
"""For tests in which somebody does not answer."""

SCREEN_S = 0.5
REAL = os.environ.get("AIRLOCK_LEDGER_TCP", "")
PRESS = os.environ.get("AIRLOCK_LEDGER_PRESS", "")
only_the_double = pytest.mark.skipif(bool(REAL), reason="scripts the device itself")


def transaction(nonce: int = 0) -> UnsignedEvmTransaction:
    return UnsignedEvmTransaction(chain_id=31337, nonce=nonce, payload=PAYLOAD)


def blind_message(nonce: int = 0) -> bytes:
    """A v0 message of the pinned account to a program that no application knows."""
    program, blockhash = b"\x07" * 32, nonce.to_bytes(32, "big")
    signer = bytes(Pubkey.from_string(SOLANA_PUBLIC))
    return (
        b"\x80\x01\x00\x01\x02" + signer + program + blockhash + b"\x01\x01\x01\x00\x03\x01\x02\x03" + b"\x00"
    )


@dataclass(slots=True)
class Events:
    """Event log that keeps names and fields."""

    seen: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def event(self, name: str, **fields: object) -> None:
        self.seen.append((name, fields))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.seen]


@dataclass(slots=True, kw_only=True)
class Rig:
    """One device with its backend."""

    device: LedgerDevice
    server: LedgerServer
    backend: LedgerBackend
    events: Events
    lock_file: Path
    nonce: int = 0

    @property
    def state(self) -> DeviceState:
        return self.backend.state

    async def sign(self) -> None:
        """Ask for a signature that nobody asked for before; it must be ours."""
        self.nonce += 1
        wanted = transaction(self.nonce)
        signature = await self.backend.sign_evm(EVM, wanted)
        assert recover_address(signing_hash(wanted), signature) == address_of(EVM)

    async def shown(self) -> None:
        """Until something is on the screen."""
        await until(lambda: self.device.review is not None)

    async def next_request_works(self) -> None:
        self.device.person = always(APPROVE)
        self.device.blind(on=True)
        await self.sign()


async def until(so: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    async with asyncio.timeout(60):
        while not so():  # noqa: ASYNC110 - no event tells it to this loop
            await asyncio.sleep(0.003)


@asynccontextmanager
async def ledger_rig(
    folder: Path, *, app: str | None = "Ethereum", patience: Patience = PATIENT, evm: AccountId = EVM
) -> AsyncIterator[Rig]:
    """A double with blind signing on and a person who approves."""
    device, events = LedgerDevice(app=app, person=always(APPROVE)), Events()
    device.blind(on=True)
    with LedgerServer(device) as server:
        place = LedgerPlace(
            name="Ledger one", where=f"tcp:{server.address}", lock_file=folder / "ledger.lock"
        )
        keys = (LedgerKey(account=evm, path=KEYS[0].path), *KEYS[1:])
        backend = LedgerBackend(keys, place, log=events, patience=patience)
        try:
            yield Rig(device=device, server=server, backend=backend, events=events, lock_file=place.lock_file)
        finally:
            await backend.aclose()


def real_application() -> str:
    """Name of the application that runs at AIRLOCK_LEDGER_TCP."""
    with PlainClient(int(REAL.rpartition(":")[2])) as client:
        answer = client.ask(bytes.fromhex("b001000000"))
    return answer[2 : 2 + answer[1]].decode()


def pressing(progress: DeviceProgress) -> None:
    """Press the buttons of a real application once it shows something."""
    if progress.phase is DevicePhase.WAITING_FOR_CONFIRMATION and PRESS:
        # A real application draws its screen after it was asked; a press before that is lost.
        soon = threading.Timer(SCREEN_S, subprocess.run, args=([*PRESS.split(), "approve"],))
        soon.daemon = True
        soon.start()
