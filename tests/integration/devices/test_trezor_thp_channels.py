"""Channels of a Safe 7 through the bare library: whose they are, and what they survive."""

import pytest
from trezorlib import exceptions, messages
from trezorlib.thp.channel import Channel
from trezorlib.thp.client import ThpSession
from trezorlib.thp.exceptions import ThpErrorCode
from trezorlib.transport import Timeout

from signer.adapters.trezor_device import library
from signer.mock.devices.trezor.thp import packets
from signer.mock.devices.trezor.thp.wire import REMEMBERED_CHANNELS
from tests.integration.devices.thp_host import error_of, safe_7, sign
from tests.integration.devices.trezor_rig import (
    IGNORE,
    KEYS,
    approve_late,
    credential_for,
    scripted,
)

WIRES = pytest.mark.parametrize("wire", ["usb", "udp"])


@WIRES
def test_a_restarted_device_knows_no_channel_of_before(wire: str) -> None:
    with safe_7(wire) as host:
        session = host.connect(credential_for(host.wire)).get_session("")
        host.restart()

        assert error_of(lambda: sign(session)) is ThpErrorCode.UNALLOCATED_CHANNEL


def test_the_same_host_on_a_new_channel_takes_the_old_one_over_with_its_sessions() -> None:
    with safe_7() as host:
        credential = credential_for(host.wire)
        old = host.connect(credential)
        session = old.get_session("")
        new = host.connect(credential)
        new.pairing.finish()

        assert error_of(lambda: sign(session)) is ThpErrorCode.UNALLOCATED_CHANNEL
        assert sign(ThpSession(new, session.id))


def test_another_host_leaves_our_channel_alone_until_there_are_too_many() -> None:
    with safe_7() as host:
        session = host.connect(credential_for(host.wire)).get_session("")
        host.connect(credential_for(host.wire)).get_session("")
        assert sign(session)
        for _ in range(REMEMBERED_CHANNELS):
            Channel.allocate(host.find())

        assert error_of(lambda: sign(session)) is ThpErrorCode.UNALLOCATED_CHANNEL


def test_another_hosts_word_ends_the_dialog_of_the_first() -> None:
    with safe_7(person=scripted(IGNORE)) as host:
        first = host.connect(credential_for(host.wire)).get_session("")
        second = host.connect(credential_for(host.wire)).get_session("")
        with pytest.raises(Timeout):
            sign(first)
        assert host.device.busy

        assert sign(second)


def test_a_late_press_never_gives_another_requests_signature() -> None:
    """The library does not read it as the answer to the next; it loses count, and reads nothing more."""
    with safe_7(person=scripted(IGNORE)) as host:
        session = host.connect(credential_for(host.wire)).get_session("")
        with pytest.raises(Timeout):
            sign(session, nonce=1)
        approve_late(host.device)

        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, it is no signature
            sign(session, nonce=2)


def test_what_protocol_v1_knows_and_thp_does_not_is_no_message() -> None:
    with safe_7() as host:
        session = host.connect(credential_for(host.wire)).get_session("")
        with pytest.raises(exceptions.TrezorFailure, match="UnexpectedMessage"):
            session.call(messages.Initialize())


def test_a_dialog_hears_its_own_session_only() -> None:
    with safe_7(person=scripted(IGNORE)) as host:
        client = host.connect(credential_for(host.wire))
        session, other = client.get_session(""), client.get_session("")
        with pytest.raises(Timeout):
            sign(session)
        other.cancel()

        assert host.device.busy


def test_a_ping_is_answered_and_a_damaged_packet_is_not() -> None:
    with safe_7() as host:
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
    with safe_7() as host:
        client = host.connect(credential_for(host.wire))
        session = client.get_session("")
        client.channel.noise.noise_protocol.cipher_state_encrypt.set_nonce(77)
        assert error_of(lambda: sign(session)) is ThpErrorCode.DECRYPTION_FAILED

        assert error_of(lambda: sign(session)) is ThpErrorCode.UNALLOCATED_CHANNEL


def test_a_repeated_packet_is_acknowledged_and_not_done_twice() -> None:
    with safe_7() as host:
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
