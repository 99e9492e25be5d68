"""A Safe 7 through the bare library: who gets in, who is asked, and what a channel survives."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from trezorlib import exceptions, messages
from trezorlib.client import AppManifest, PassphraseSetting, get_client
from trezorlib.thp.channel import Channel, PairingState
from trezorlib.thp.client import ThpSession, TrezorClientThp
from trezorlib.thp.credentials import Credential
from trezorlib.thp.exceptions import ThpError, ThpErrorCode
from trezorlib.thp.pairing import CodeEntry, QrCode, default_pairing_flow
from trezorlib.transport import Timeout, Transport
from trezorlib.transport.udp import UdpTransport
from typing_extensions import override

from signer.adapters.dev_key.derivation import TEST_MNEMONIC
from signer.adapters.trezor_device import library
from signer.adapters.trezor_device.bounded_transport import BoundedTransport
from signer.mock.devices.trezor.device import TrezorDevice
from signer.mock.devices.trezor.flavour import SAFE_7
from signer.mock.devices.trezor.person import Decision, Person, Press, Screen, approving
from signer.mock.devices.trezor.thp import packets
from signer.mock.devices.trezor.thp.wire import REMEMBERED_CHANNELS, ThpWire
from signer.mock.devices.trezor.udp import UdpServer
from signer.mock.devices.trezor.usb import UsbPort
from tests.integration.devices.trezor_rig import (
    IGNORE,
    KEYS,
    OTHER_MNEMONIC,
    REJECT,
    SEED,
    SOLANA_PUBLIC_KEY,
    SOLANA_STEPS,
    credential_for,
    scripted,
    solana_message,
)

WIRES = pytest.mark.parametrize("wire", ["usb", "udp"])
VERSIONS = pytest.mark.parametrize("version", [(2, 0), (2, 1)], ids=["2.0", "2.1"])
CONNECTION, AUTOCONNECT = "thp_connection_request", "thp_autoconnect_credential_request"


@WIRES
@VERSIONS
def test_a_host_pairs_by_the_code_and_comes_back_without_one(wire: str, version: tuple[int, int]) -> None:
    with _safe_7(wire, version=version) as host:
        credential = host.pair()
        host.restart()

        client = host.connect(credential)
        assert client.channel.pairing_state is PairingState.PAIRED
        session = client.get_session("")
        assert library.ethereum_address(
            session, KEYS[0].steps, show_display=False
        ).lower() == SEED.evm_address(KEYS[0].steps)
        assert _sign(session, data=bytes(3_000))
        assert len(library.sign_solana(session, SOLANA_STEPS, solana_message(SOLANA_PUBLIC_KEY), None)) == 64
        assert session.get_root_fingerprint() == host.device.root_fingerprint()


def test_the_person_is_asked_once_after_a_restart() -> None:
    with _safe_7() as host:
        credential = host.pair()

        assert host.screens_of(lambda: host.connect(credential).get_session("")) == []
        host.restart()
        assert host.screens_of(lambda: host.connect(credential).get_session("")) == [CONNECTION]
        assert host.connect(credential).channel.pairing_state is PairingState.PAIRED_AUTOCONNECT
        assert host.screens_of(lambda: host.connect(credential).get_session("")) == []


def test_a_host_that_is_trusted_for_ever_is_never_asked_about() -> None:
    with _safe_7() as host:
        trusted = host.trust(host.pair())

        host.restart()
        assert host.screens_of(lambda: host.connect(trusted).get_session("")) == []


def test_a_person_may_refuse_a_pairing_a_connection_and_a_trust_for_ever() -> None:
    with _safe_7() as host:
        host.person = scripted(REJECT)
        with pytest.raises(exceptions.Cancelled):
            host.pair()
        credential = host.pair()
        host.person = scripted(REJECT)
        with pytest.raises(exceptions.Cancelled):
            host.trust(credential)
        host.restart()
        host.person = scripted(REJECT)
        with pytest.raises(exceptions.Cancelled):
            host.connect(credential).get_session("")

        assert _sign(host.connect(credential).get_session(""))


def test_a_wrong_code_spoils_its_channel_and_is_no_help_for_the_next() -> None:
    with _safe_7() as host:
        client = host.connect()
        method = CodeEntry(client.pairing)
        with pytest.raises(exceptions.TrezorFailure, match="Unexpected Code Entry Tag"):
            method.send_code(_wrong(host.code))
        with pytest.raises(exceptions.TrezorFailure, match="UnexpectedMessage"):
            CodeEntry(client.pairing).send_code(host.code)

        assert host.pair().credential


def test_a_person_may_leave_the_screen_with_the_code() -> None:
    with _safe_7() as host:
        method = CodeEntry(host.connect().pairing)
        code = host.code
        assert host.device.press(Press.REJECT)
        with pytest.raises(Exception):  # noqa: B017, PT011 - the library has lost count of the channel
            method.send_code(code)

        assert host.device.state.code is None
        assert host.pair().credential


def test_methods_without_a_code_are_refused() -> None:
    with _safe_7() as host:
        client = host.connect()
        assert {each.PAIRING_METHOD for each in client.pairing.methods} == {
            messages.ThpPairingMethod.CodeEntry
        }
        with pytest.raises(ValueError, match="not supported"):
            QrCode(client.pairing)
        for method in messages.ThpPairingMethod.SkipPairing, messages.ThpPairingMethod.NFC:
            pairing = host.connect().pairing
            pairing.start()
            with pytest.raises(exceptions.TrezorFailure, match="not supported"):
                pairing.session.call(messages.ThpSelectMethod(selected_pairing_method=method))


def test_a_key_of_low_order_proves_nothing() -> None:
    with _safe_7() as host:
        method = CodeEntry(host.connect().pairing)
        forged = messages.ThpCodeEntryCpaceHostTag(cpace_host_public_key=bytes(32), tag=bytes(32))
        with pytest.raises(exceptions.TrezorFailure, match="Invalid CPACE"):
            method.controller.session.call(forged)


def test_a_stranger_is_served_nothing() -> None:
    with _safe_7() as host:
        client = host.connect()
        with pytest.raises(exceptions.NotPairedError):
            _ = client.features
        with pytest.raises(exceptions.NotPairedError):
            client.get_session("")
        session = ThpSession(client, 1)
        for message in (messages.GetFeatures(), messages.EthereumGetAddress(address_n=KEYS[0].steps)):
            with pytest.raises(exceptions.TrezorFailure, match="UnexpectedMessage"):
                session.call(message)

        assert "EthereumGetAddress" not in host.device.received


def test_a_credential_that_is_not_of_this_device_and_host_is_none() -> None:
    with _safe_7() as host, _safe_7(mnemonic=OTHER_MNEMONIC) as other:
        credential = credential_for(host.wire)
        foreign = credential_for(other.wire)
        changed = credential.credential[:-1] + bytes((credential.credential[-1] ^ 1,))
        for bad in (
            foreign,
            replace(credential, credential=changed),
            replace(credential, credential=b"no message"),
            replace(credential, host_privkey=foreign.host_privkey),
            replace(foreign, trezor_pubkey=credential.trezor_pubkey),
        ):
            assert not host.connect(bad).pairing.is_paired()
        assert host.connect(credential).pairing.is_paired()
        host.wire.identity.forget_hosts()

        assert not host.connect(credential).pairing.is_paired()


def test_trust_for_ever_is_not_given_right_after_pairing() -> None:
    with _safe_7() as host:
        client = host.connect()
        CodeEntry(client.pairing).send_code(host.code)
        with pytest.raises(exceptions.TrezorFailure, match="autoconnect"):
            client.pairing.request_credential(autoconnect=True)


@WIRES
def test_a_restarted_device_knows_no_channel_of_before(wire: str) -> None:
    with _safe_7(wire) as host:
        session = host.connect(credential_for(host.wire)).get_session("")
        host.restart()

        assert _error(lambda: _sign(session)) is ThpErrorCode.UNALLOCATED_CHANNEL


def test_the_same_host_on_a_new_channel_takes_the_old_one_over_with_its_sessions() -> None:
    with _safe_7() as host:
        credential = credential_for(host.wire)
        old = host.connect(credential)
        session = old.get_session("")
        new = host.connect(credential)
        new.pairing.finish()

        assert _error(lambda: _sign(session)) is ThpErrorCode.UNALLOCATED_CHANNEL
        assert _sign(ThpSession(new, session.id))


def test_another_host_leaves_our_channel_alone_until_there_are_too_many() -> None:
    with _safe_7() as host:
        session = host.connect(credential_for(host.wire)).get_session("")
        host.connect(credential_for(host.wire)).get_session("")
        assert _sign(session)
        for _ in range(REMEMBERED_CHANNELS):
            Channel.allocate(host.find())

        assert _error(lambda: _sign(session)) is ThpErrorCode.UNALLOCATED_CHANNEL


def test_another_hosts_word_ends_the_dialog_of_the_first() -> None:
    with _safe_7(person=scripted(IGNORE)) as host:
        first = host.connect(credential_for(host.wire)).get_session("")
        second = host.connect(credential_for(host.wire)).get_session("")
        with pytest.raises(Timeout):
            _sign(first)
        assert host.device.busy

        assert _sign(second)


def test_a_late_press_never_gives_another_requests_signature() -> None:
    """The library does not read it as the answer to the next; it loses count, and reads nothing more."""
    with _safe_7(person=scripted(IGNORE)) as host:
        session = host.connect(credential_for(host.wire)).get_session("")
        with pytest.raises(Timeout):
            _sign(session, nonce=1)
        while host.device.press(Press.APPROVE):
            pass

        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, it is no signature
            _sign(session, nonce=2)


def test_a_locked_device_lets_no_new_channel_in_and_asks_for_the_pin_when_it_should() -> None:
    with _safe_7(pin="1") as host:
        credential = credential_for(host.wire, autoconnect=True)
        client = host.connect(credential)
        assert not client.is_connected()
        with pytest.raises(exceptions.DeviceLockedError):
            _ = client.features
        host.person = scripted(REJECT)
        with pytest.raises(exceptions.DeviceLockedError):
            client.connect()

        host.person = approving
        assert _sign(host.connect(credential).get_session(""))
        assert host.device.state.unlocked


def test_a_channel_from_before_the_lock_asks_for_the_pin_as_other_models_do() -> None:
    with _safe_7(pin="1") as host:
        host.device.state.unlocked = True
        session = host.connect(credential_for(host.wire)).get_session("")
        host.device.lock()

        assert host.screens_of(lambda: _sign(session)) == [
            "pin_device", "confirm_ethereum_tx", "confirm_ethereum_tx",
        ]  # fmt: skip


def test_a_session_needs_its_passphrase_and_a_seedless_one_has_no_keys() -> None:
    with _safe_7(passphrase="hidden") as host:
        client = host.connect(credential_for(host.wire))
        plain, typed = client.get_session(""), client.get_session(PassphraseSetting.ON_DEVICE)
        given = client.get_session("hidden")
        seedless = client.get_session(None)

        assert plain.get_root_fingerprint() == host.device.root_fingerprint()
        assert typed.get_root_fingerprint() == given.get_root_fingerprint() != plain.get_root_fingerprint()
        with pytest.raises(exceptions.InvalidSessionError):
            seedless.get_root_fingerprint()
        with pytest.raises(exceptions.InvalidSessionError):
            ThpSession(client, 99).get_root_fingerprint()
        host.device.state.passphrase = None
        with pytest.raises(exceptions.TrezorFailure, match="Passphrase"):
            ThpSession(client, 7).derive("x", derive_cardano=False)


def test_a_device_without_a_seed_has_no_sessions() -> None:
    with _safe_7() as host:
        host.device.state.initialized = False
        with pytest.raises(exceptions.TrezorFailure, match="NotInitialized"):
            host.connect(credential_for(host.wire)).get_session("")


def test_what_protocol_v1_knows_and_thp_does_not_is_no_message() -> None:
    with _safe_7() as host:
        session = host.connect(credential_for(host.wire)).get_session("")
        with pytest.raises(exceptions.TrezorFailure, match="UnexpectedMessage"):
            session.call(messages.Initialize())


def test_a_dialog_hears_its_own_session_only() -> None:
    with _safe_7(person=scripted(IGNORE)) as host:
        client = host.connect(credential_for(host.wire))
        session, other = client.get_session(""), client.get_session("")
        with pytest.raises(Timeout):
            _sign(session)
        other.cancel()

        assert host.device.busy


def test_a_ping_is_answered_and_a_damaged_packet_is_not() -> None:
    with _safe_7() as host:
        channel = host.connect(credential_for(host.wire)).channel
        channel.sync_responses()
        (chunk,) = packets.chunks(packets.Frame(control=packets.PING, channel=1, content=bytes(8)))
        transport = host.find()
        with transport:
            for bad in (chunk[:10] + b"\1" + chunk[11:], b"\x80" * 64, bytes(64), b"\x40"):
                transport.write_chunk(bad)
            with pytest.raises(Timeout):
                transport.read_chunk(timeout=0.05)


def test_what_does_not_decrypt_costs_the_host_its_channel() -> None:
    with _safe_7() as host:
        client = host.connect(credential_for(host.wire))
        session = client.get_session("")
        client.channel.noise.noise_protocol.cipher_state_encrypt.set_nonce(77)
        assert _error(lambda: _sign(session)) is ThpErrorCode.DECRYPTION_FAILED

        assert _error(lambda: _sign(session)) is ThpErrorCode.UNALLOCATED_CHANNEL


def test_a_repeated_packet_is_acknowledged_and_not_done_twice() -> None:
    with _safe_7() as host:
        session = host.connect(credential_for(host.wire)).get_session("")
        host.tapped.clear()
        library.ethereum_address(session, KEYS[0].steps, show_display=False)
        asked = host.device.received.count("EthereumGetAddress")
        with host.find() as transport:
            for chunk in list(host.tapped):
                transport.write_chunk(chunk)

        assert host.device.received.count("EthereumGetAddress") == asked
        assert library.ethereum_address(session, KEYS[0].steps, show_display=False)


def test_packets_of_two_channels_may_be_mixed() -> None:
    assembler = packets.Assembler()
    frames = [packets.Frame(control=packets.ENCRYPTED, channel=each, content=bytes(150)) for each in (1, 2)]
    mixed = [chunk for pair in zip(*map(packets.chunks, frames), strict=True) for chunk in pair]

    assert [each for each in map(assembler.add, mixed) if each is not None] == frames


@dataclass(slots=True, kw_only=True)
class _Host:
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
def _safe_7(
    wire: str = "usb",
    *,
    person: Person = approving,
    pin: str | None = None,
    passphrase: str | None = None,
    mnemonic: str = TEST_MNEMONIC,
    version: tuple[int, int] = (2, 1),
) -> Iterator[_Host]:
    device = TrezorDevice(
        mnemonic=mnemonic, flavour=replace(SAFE_7, thp=version), pin=pin, passphrase=passphrase
    )
    if wire == "usb":
        port = UsbPort(device, instant=True)
        assert isinstance(port.wire, ThpWire)
        host = _Host(
            device=device, find=lambda: _Impatient(port.find(), host.tapped), restart=device.restart,
            wire=port.wire, person=person,
        )  # fmt: skip
        _let_look(host)
        yield host
        return
    with UdpServer(device) as server:
        assert isinstance(server.wire, ThpWire)
        host = _Host(
            device=device, find=lambda: _Impatient(UdpTransport(server.address), host.tapped),
            restart=device.restart, wire=server.wire, person=person,
        )  # fmt: skip
        _let_look(host)
        yield host


def _let_look(host: _Host) -> None:
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


def _sign(session: ThpSession, *, nonce: int = 1, data: bytes = b"") -> tuple[int, bytes, bytes]:
    return library.sign_eip1559(
        session, KEYS[0].steps, nonce=nonce, gas_limit=21_000, to="0x" + "21" * 20, value=1, data=data,
        chain_id=1, max_gas_fee=2, max_priority_fee=1,
    )  # fmt: skip


def _error(act: Callable[[], object]) -> ThpErrorCode:
    with pytest.raises(ThpError) as caught:
        act()
    return ThpErrorCode(caught.value.code)


def _wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"
