"""A computer beside a Safe 7, with the bare library."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from trezorlib.client import AppManifest, get_client
from trezorlib.thp.client import ThpSession, TrezorClientThp
from trezorlib.thp.credentials import Credential
from trezorlib.thp.exceptions import ThpError, ThpErrorCode
from trezorlib.thp.pairing import default_pairing_flow
from trezorlib.transport import Transport
from trezorlib.transport.udp import UdpTransport
from typing_extensions import override

from signer.adapters.dev_key.derivation import TEST_MNEMONIC
from signer.adapters.trezor_device import library
from signer.adapters.trezor_device.bounded_transport import BoundedTransport
from signer.mock.devices.trezor.device import TrezorDevice
from signer.mock.devices.trezor.flavour import SAFE_7
from signer.mock.devices.trezor.person import Decision, Person, Screen, approving
from signer.mock.devices.trezor.thp.wire import ThpWire
from signer.mock.devices.trezor.udp import UdpServer
from signer.mock.devices.trezor.usb import UsbPort
from tests.integration.devices.trezor_rig import KEYS


@dataclass(slots=True, kw_only=True)
class Host:
    """A computer beside a device."""

    device: TrezorDevice
    find: Callable[[], Transport]
    restart: Callable[[], None]
    wire: ThpWire
    person: Person
    shown: list[str] = field(default_factory=list)
    tapped: list[bytes] = field(default_factory=list)
    opened: Transport | None = None

    @property
    def code(self) -> str:
        """What the display says."""
        assert self.device.state.code is not None
        return self.device.state.code

    def connect(self, *credentials: Credential) -> TrezorClientThp:
        app = AppManifest(app_name="airlock tests", host_name="here", credentials=credentials)
        if self.opened is not None and self.opened.is_open():
            self.opened.close()
        self.opened = self.find()
        client = get_client(app, self.opened)
        assert isinstance(client, TrezorClientThp)
        return client

    def pair(self) -> Credential:
        client = self.connect()
        return default_pairing_flow(client.pairing, code_entry_callback=lambda: self.code)

    def trust(self, credential: Credential) -> Credential:
        """Ask for a credential that needs no connection request."""
        client = self.connect(credential)
        return client.pairing.request_credential(autoconnect=True)

    def screens_of(self, act: Callable[[], object]) -> list[str]:
        self.shown.clear()
        act()
        return list(self.shown)


@contextmanager
def safe_7(
    wire: str = "usb",
    *,
    person: Person = approving,
    pin: str | None = None,
    passphrase: str | None = None,
    mnemonic: str = TEST_MNEMONIC,
    version: tuple[int, int] = (2, 1),
) -> Iterator[Host]:
    device = TrezorDevice(
        mnemonic=mnemonic, flavour=replace(SAFE_7, thp=version), pin=pin, passphrase=passphrase
    )
    if wire == "usb":
        port = UsbPort(device, instant=True)
        assert isinstance(port.wire, ThpWire)
        host = Host(
            device=device, find=lambda: _Impatient(port.find(), host.tapped), restart=device.restart,
            wire=port.wire, person=person,
        )  # fmt: skip
        _let_look(host)
        yield host
        return
    with UdpServer(device) as server:
        assert isinstance(server.wire, ThpWire)
        host = Host(
            device=device, find=lambda: _Impatient(UdpTransport(server.address), host.tapped),
            restart=device.restart, wire=server.wire, person=person,
        )  # fmt: skip
        _let_look(host)
        yield host


def _let_look(host: Host) -> None:
    def look(screen: Screen) -> Decision:
        host.shown.append(screen.name or "")
        return host.person(screen)

    host.device.person = look


class _Impatient(BoundedTransport):
    """A read ends after a moment, where the library would wait for ever."""

    def __init__(self, inner: Transport, tapped: list[bytes]) -> None:
        super().__init__(inner, lambda: 0.3)
        self._tapped = tapped

    @override
    def write_chunk(self, chunk: bytes, /) -> None:
        self._tapped.append(chunk)
        super().write_chunk(chunk)

    @override
    def read_chunk(self, *, timeout: float | None = None) -> bytes:
        return super().read_chunk(timeout=2.0 if timeout is None else timeout)


def sign(session: ThpSession, *, nonce: int = 1, data: bytes = b"") -> tuple[int, bytes, bytes]:
    return library.sign_eip1559(
        session, KEYS[0].steps, nonce=nonce, gas_limit=21_000, to="0x" + "21" * 20, value=1, data=data,
        chain_id=1, max_gas_fee=2, max_priority_fee=1,
    )  # fmt: skip


def error_of(act: Callable[[], object]) -> ThpErrorCode:
    with pytest.raises(ThpError) as caught:
        act()
    return ThpErrorCode(caught.value.code)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"
