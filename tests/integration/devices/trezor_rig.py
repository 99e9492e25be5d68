"""A Trezor backend on the double, and what a person does before it. Emulator: AIRLOCK_TREZOR_UDP=host:port.

An emulator must hold anvil's mnemonic, no PIN and no passphrase. Somebody presses for it, or the command in
AIRLOCK_TREZOR_PRESS does, which is run as `command approve` for each screen.
"""

import asyncio
import itertools
import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from trezorlib import messages
from trezorlib.transport import Transport

from signer.adapters.dev_key.derivation import TEST_MNEMONIC
from signer.adapters.trezor_device.backend import TrezorBackend
from signer.adapters.trezor_device.credentials import HostCredential, store_credential
from signer.adapters.trezor_device.device import HARDENED, TrezorDevice, TrezorKey
from signer.decode.evm.envelope import signing_hash
from signer.decode.evm.recovery import recover_address
from signer.domain.accounts import AccountId, Address, address_of
from signer.domain.base58 import base58
from signer.domain.transactions import EvmPayload, EvmSignature, UnsignedEvmTransaction
from signer.mock.devices.seed import Seed
from signer.mock.devices.trezor.device import TrezorDevice as Double
from signer.mock.devices.trezor.flavour import MODEL_T, Flavour
from signer.mock.devices.trezor.person import Decision, Person, Press, Screen, approving
from signer.mock.devices.trezor.thp.wire import ThpWire
from signer.mock.devices.trezor.usb import UsbPort
from signer.mock.devices.trezor.wires import Wire
from signer.ports.device import DevicePhase, DeviceProgress

EMULATOR = os.environ.get("AIRLOCK_TREZOR_UDP", "")
PRESS = shlex.split(os.environ.get("AIRLOCK_TREZOR_PRESS", ""))
OTHER_MNEMONIC = "all all all all all all all all all all all all"
CHAIN_ID = 31_337
EVM_PATH, SOLANA_PATH = "m/44'/60'/0'/0/0", "m/44'/501'/0'/0'"
SEED = Seed(TEST_MNEMONIC)
SOLANA_STEPS = [44 + HARDENED, 501 + HARDENED, HARDENED, HARDENED]
SOLANA_PUBLIC_KEY = SEED.ed25519(SOLANA_STEPS).public_key().public_bytes_raw()
EVM = AccountId(f"eip155:{CHAIN_ID}:{SEED.evm_address([44 + HARDENED, 60 + HARDENED, HARDENED, 0, 0])}")
SOLANA = AccountId(f"solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1:{base58(SOLANA_PUBLIC_KEY)}")
_SHOWN_WITHIN_S = 60
KEYS = (TrezorKey(account=EVM, path=EVM_PATH), TrezorKey(account=SOLANA, path=SOLANA_PATH))

APPROVE, REJECT, IGNORE, UNPLUG, WRONG_PIN = (
    Decision(press=press)
    for press in (Press.APPROVE, Press.REJECT, Press.IGNORE, Press.UNPLUG, Press.WRONG_PIN)
)


@dataclass(slots=True, kw_only=True)
class Rig:
    """The backend and, where it is none of metal, the device behind it."""

    backend: TrezorBackend
    device: Double
    port: UsbPort
    watched: list[DeviceProgress] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def sign(self, nonce: int = 0, *, data: bytes = bytes(68)) -> EvmSignature:
        """Sign, and make sure that it is a signature of this very transaction."""
        wanted = transaction(nonce, data=data)
        signature = await self.backend.attended(self.watch).sign_evm(EVM, wanted)
        assert recover_address(signing_hash(wanted), signature) == address_of(EVM)
        return signature

    async def until_shown(self, screens: int = 1) -> None:
        """Wait until the person has so many screens before them."""
        while sum("screen" in each.message for each in self.watched) < screens:
            self.changed.clear()
            await self.changed.wait()

    def watch(self, progress: DeviceProgress) -> None:
        """As the approval flow would."""
        self.watched.append(progress)
        self.changed.set()


@asynccontextmanager
async def rig(
    *,
    person: Person = approving,
    flavour: Flavour = MODEL_T,
    pin: str | None = None,
    passphrase: str | None = None,
    passphrase_on_device: bool = False,
    mnemonic: str = TEST_MNEMONIC,
    approval_ms: int = 20_000,
    answer_ms: int = 5_000,
    fingerprint: bytes | None = None,
    paired: bool = True,
    autoconnect: bool = True,
    instant: bool = True,
    keys: Iterable[TrezorKey] = KEYS,
    find: Callable[[UsbPort], Transport] = UsbPort.find,
) -> AsyncIterator[Rig]:
    device = Double(mnemonic=mnemonic, flavour=flavour, person=person, pin=pin, passphrase=passphrase)
    port = UsbPort(device, instant=instant)
    with tempfile.TemporaryDirectory() as folder:
        credentials = Path(folder) / "credentials"
        if flavour.thp is not None and paired:
            store_credential(credentials, credential_for(port.wire, autoconnect=autoconnect))
        pinned = TrezorDevice(
            where=port.path, lock_file=Path(folder) / "lock", fingerprint=fingerprint, answer_ms=answer_ms,
            approval_ms=approval_ms, passphrase_on_device=passphrase_on_device,
            credentials_file=credentials,
        )  # fmt: skip
        backend = TrezorBackend(pinned, keys, find=lambda: find(port))
        try:
            yield Rig(backend=backend, device=device, port=port)
        finally:
            await backend.aclose()


def credential_for(wire: Wire, *, autoconnect: bool = True) -> HostCredential:
    """As a pairing of before left it."""
    assert isinstance(wire, ThpWire)
    host = X25519PrivateKey.generate()
    noted = messages.ThpCredentialMetadata(host_name="here", app_name="signer", autoconnect=autoconnect)
    return HostCredential(
        trezor_pubkey=wire.identity.public_key, host_privkey=host.private_bytes_raw(),
        credential=wire.identity.issue(host.public_key().public_bytes_raw(), noted), autoconnect=autoconnect,
    )  # fmt: skip


def press(progress: DeviceProgress) -> None:
    """Confirm what a real emulator shows."""
    if PRESS and progress.phase is DevicePhase.WAITING_FOR_CONFIRMATION:
        subprocess.run([*PRESS, "approve"], check=True, timeout=30)


def approve_late(device: Double) -> None:
    """Approve every screen of a dialog that its host has left, once it is shown."""
    deadline = time.monotonic() + _SHOWN_WITHIN_S
    while not device.press(Press.APPROVE):
        assert time.monotonic() < deadline, "the dialog was never shown"
        time.sleep(0.005)
    while device.press(Press.APPROVE):
        pass


def scripted(*decisions: Decision) -> Person:
    """One decision a screen; when they are used up, the person says yes."""
    script = itertools.chain(decisions, itertools.repeat(APPROVE))
    return lambda _: next(script)


def at_screen(number: int, decision: Decision) -> Person:
    """Yes to every screen but one; that only once."""
    left = [decision]

    def decide(screen: Screen) -> Decision:
        return left.pop() if screen.number == number and left else APPROVE

    return decide


def transaction(nonce: int, *, data: bytes = bytes(68)) -> UnsignedEvmTransaction:
    payload = EvmPayload(
        to=Address("0x" + "21" * 20), value_wei=0, data=data, gas_limit=200_000,
        max_fee_per_gas_wei=30 * 10**9, max_priority_fee_per_gas_wei=10**9,
    )  # fmt: skip
    return UnsignedEvmTransaction(chain_id=CHAIN_ID, nonce=nonce, payload=payload)


def solana_message(*signers: bytes) -> bytes:
    """A v0 message with one instruction of 120 bytes for the memo program."""
    keys = (*(signers or (SOLANA_PUBLIC_KEY,)), bytes(range(32)))
    instruction = bytes((len(keys) - 1, 0, 120)) + bytes(120)
    return (
        b"\x80"
        + bytes((len(keys) - 1, 0, 1, len(keys)))
        + b"".join(keys)
        + bytes(32)
        + b"\x01"
        + instruction
        + b"\x00"
    )
