"""Whom a Safe 7 lets in, and when it asks its person, through the bare library."""

from dataclasses import replace

import pytest
from trezorlib import exceptions, messages
from trezorlib.client import PassphraseSetting
from trezorlib.thp.channel import PairingState
from trezorlib.thp.client import ThpSession
from trezorlib.thp.pairing import CodeEntry, QrCode

from signer.adapters.trezor_device import library
from signer.mock.devices.trezor.person import Press, approving
from tests.integration.devices.thp_host import safe_7, sign, wrong
from tests.integration.devices.trezor_rig import (
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
    with safe_7(wire, version=version) as host:
        credential = host.pair()
        host.restart()

        client = host.connect(credential)
        assert client.channel.pairing_state is PairingState.PAIRED
        session = client.get_session("")
        assert library.ethereum_address(
            session, KEYS[0].steps, show_display=False
        ).lower() == SEED.evm_address(KEYS[0].steps)
        assert sign(session, data=bytes(3_000))
        assert len(library.sign_solana(session, SOLANA_STEPS, solana_message(SOLANA_PUBLIC_KEY), None)) == 64
        assert session.get_root_fingerprint() == host.device.root_fingerprint()


def test_the_person_is_asked_once_after_a_restart() -> None:
    with safe_7() as host:
        credential = host.pair()

        assert host.screens_of(lambda: host.connect(credential).get_session("")) == []
        host.restart()
        assert host.screens_of(lambda: host.connect(credential).get_session("")) == [CONNECTION]
        assert host.connect(credential).channel.pairing_state is PairingState.PAIRED_AUTOCONNECT
        assert host.screens_of(lambda: host.connect(credential).get_session("")) == []


def test_a_host_that_is_trusted_for_ever_is_never_asked_about() -> None:
    with safe_7() as host:
        trusted = host.trust(host.pair())

        host.restart()
        assert host.screens_of(lambda: host.connect(trusted).get_session("")) == []


def test_a_person_may_refuse_a_pairing_a_connection_and_a_trust_for_ever() -> None:
    with safe_7() as host:
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

        assert sign(host.connect(credential).get_session(""))


def test_a_wrong_code_spoils_its_channel_and_is_no_help_for_the_next() -> None:
    with safe_7() as host:
        client = host.connect()
        method = CodeEntry(client.pairing)
        with pytest.raises(exceptions.TrezorFailure, match="Unexpected Code Entry Tag"):
            method.send_code(wrong(host.code))
        with pytest.raises(exceptions.TrezorFailure, match="UnexpectedMessage"):
            CodeEntry(client.pairing).send_code(host.code)

        assert host.pair().credential


def test_a_person_may_leave_the_screen_with_the_code() -> None:
    with safe_7() as host:
        method = CodeEntry(host.connect().pairing)
        code = host.code
        assert host.device.press(Press.REJECT)
        with pytest.raises(Exception):  # noqa: B017, PT011 - the library has lost count of the channel
            method.send_code(code)

        assert host.device.state.code is None
        assert host.pair().credential


def test_methods_without_a_code_are_refused() -> None:
    with safe_7() as host:
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
    with safe_7() as host:
        method = CodeEntry(host.connect().pairing)
        forged = messages.ThpCodeEntryCpaceHostTag(cpace_host_public_key=bytes(32), tag=bytes(32))
        with pytest.raises(exceptions.TrezorFailure, match="Invalid CPACE"):
            method.controller.session.call(forged)


def test_a_stranger_is_served_nothing() -> None:
    with safe_7() as host:
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
    with safe_7() as host, safe_7(mnemonic=OTHER_MNEMONIC) as other:
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
    with safe_7() as host:
        client = host.connect()
        CodeEntry(client.pairing).send_code(host.code)
        with pytest.raises(exceptions.TrezorFailure, match="autoconnect"):
            client.pairing.request_credential(autoconnect=True)


def test_a_locked_device_lets_no_new_channel_in_and_asks_for_the_pin_when_it_should() -> None:
    with safe_7(pin="1") as host:
        credential = credential_for(host.wire, autoconnect=True)
        client = host.connect(credential)
        assert not client.is_connected()
        with pytest.raises(exceptions.DeviceLockedError):
            _ = client.features
        host.person = scripted(REJECT)
        with pytest.raises(exceptions.DeviceLockedError):
            client.connect()

        host.person = approving
        assert sign(host.connect(credential).get_session(""))
        assert host.device.state.unlocked


def test_a_channel_from_before_the_lock_asks_for_the_pin_as_other_models_do() -> None:
    with safe_7(pin="1") as host:
        host.device.state.unlocked = True
        session = host.connect(credential_for(host.wire)).get_session("")
        host.device.lock()

        assert host.screens_of(lambda: sign(session)) == [
            "pin_device", "confirm_ethereum_tx", "confirm_ethereum_tx",
        ]  # fmt: skip


def test_a_session_needs_its_passphrase_and_a_seedless_one_has_no_keys() -> None:
    with safe_7(passphrase="hidden") as host:
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
    with safe_7() as host:
        host.device.state.initialized = False
        with pytest.raises(exceptions.TrezorFailure, match="NotInitialized"):
            host.connect(credential_for(host.wire)).get_session("")
