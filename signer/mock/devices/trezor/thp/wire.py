"""The protocol of a Safe 7: channels for several hosts, each encrypted. Serves none that it does not trust.

What protocol v1 says is answered with "invalid protocol", by which a host learns what it talks to.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from trezorlib import messages
from trezorlib.protobuf import MessageType

from signer.mock.devices.trezor import wire as v1
from signer.mock.devices.trezor.device import TrezorDevice
from signer.mock.devices.trezor.thp import packets, pairing
from signer.mock.devices.trezor.thp.channel import Channel, Phase
from signer.mock.devices.trezor.thp.coding import decode, encode
from signer.mock.devices.trezor.thp.identity import Identity
from signer.mock.devices.trezor.thp.noise import KEY_BYTES, Handshake, NoiseError
from signer.mock.devices.trezor.thp.packets import BROADCAST, Frame

REMEMBERED_CHANNELS = 10
"""Channels that a device keeps; the one that was used longest ago goes."""

_BUSY, _UNALLOCATED, _UNDECIPHERABLE, _LOCKED = 1, 2, 3, 5
_UNPAIRED, _PAIRED, _PAIRED_RECENTLY = b"\0", b"\1", b"\2"
_LAST_CHANNEL = 0xFFEF
_NONCE_BYTES = 8
_GREETING_BYTES = KEY_BYTES + 1


class ThpWire:
    """Between one device and whatever carries its packets. `send` takes one packet of 64 bytes.

    `occupied`: another host talks without a pause, and everybody else is told that the device is busy.
    """

    def __init__(self, device: TrezorDevice, send: Callable[[bytes], None]) -> None:
        self.identity = Identity(device.state.mnemonic)
        self.channels: OrderedDict[int, Channel] = OrderedDict()
        self.occupied = False
        self._device = device
        self._send_chunk = send
        self._assembler = packets.Assembler()
        self._last_channel = 0
        self._served: tuple[Channel, int] | None = None
        self._answer: Callable[[MessageType], None] = _nowhere
        device.on_reply = self._on_reply
        device.on_forget = self.channels.clear

    def receive(self, chunk: bytes) -> None:
        """Take one packet of a host."""
        with self._device.mutex:
            if self._device.silent:
                return
            if chunk.startswith(v1.FIRST):
                self._refuse_v1()
            elif (frame := self._assembler.add(chunk)) is not None:
                self._hear(frame)

    def reset(self) -> None:
        """What was half on its way is lost."""
        self._assembler = packets.Assembler()

    def _refuse_v1(self) -> None:
        text = messages.Failure(code=messages.FailureType.InvalidProtocol, message="Invalid protocol")
        for chunk in v1.chunks(text):
            self._send_chunk(chunk)

    def _hear(self, frame: Frame) -> None:
        if frame.control == packets.PING:
            self._send(Frame(control=packets.PONG, channel=frame.channel, content=frame.content))
        elif frame.channel == BROADCAST:
            if frame.control == packets.ALLOCATION_REQUEST and len(frame.content) == _NONCE_BYTES:
                self._allocate(frame.content)
        elif (channel := self.channels.get(frame.channel)) is not None:
            self.channels.move_to_end(frame.channel)
            self._on_channel(channel, frame)
        elif frame.carries_data:
            self._fail(frame.channel, _UNALLOCATED)

    def _allocate(self, nonce: bytes) -> None:
        major, minor = self._device.state.flavour.thp or (2, 0)
        properties = encode(
            messages.ThpDeviceProperties(
                internal_model=self._device.state.flavour.internal_name,
                protocol_version_major=major,
                protocol_version_minor=minor,
                pairing_methods=list(pairing.METHODS),
            )
        )
        self._last_channel = self._last_channel % _LAST_CHANNEL + 1
        number = self._last_channel
        self.channels[number] = Channel(number, Handshake(self.identity.static, properties), self._send)
        while len(self.channels) > REMEMBERED_CHANNELS:
            self.channels.popitem(last=False)
        content = nonce + number.to_bytes(2, "big") + properties
        self._send(Frame(control=packets.ALLOCATION_ANSWER, channel=BROADCAST, content=content))

    def _on_channel(self, channel: Channel, frame: Frame) -> None:
        if frame.kind == packets.ACK:
            channel.heard(frame.acknowledges)
            return
        if not frame.carries_data:
            return
        elsewhere = self._served is not None and self._served[0] is not channel
        if self.occupied or (self._device.busy and elsewhere and frame.kind == packets.ENCRYPTED):
            # The first word of another host ends the dialog of this one; its repetition is heard.
            self._device.preempt()
            self._fail(channel.number, _BUSY)
            return
        if channel.phase is Phase.HELLO:
            channel.piggybacks = (self._device.state.flavour.thp or (2, 0)) >= (2, 1) and frame.acknowledges
        if not channel.accept(frame):
            return
        try:
            self._on_news(channel, frame)
        except NoiseError:
            del self.channels[channel.number]
            self._refuse(channel, _UNDECIPHERABLE)
        channel.settle()

    def _on_news(self, channel: Channel, frame: Frame) -> None:
        match channel.phase, frame.kind:
            case Phase.HELLO, packets.HANDSHAKE_REQUEST:
                self._greet(channel, frame.content)
            case Phase.COMPLETION, packets.COMPLETION_REQUEST:
                self._complete(channel, frame.content)
            case ((Phase.HELLO | Phase.COMPLETION), _):
                pass
            case phase, packets.ENCRYPTED:
                session, message = channel.understand(frame.content)
                if self._device.busy and self._served != (channel, session):
                    return  # a dialog hears its own session only
                self._served, self._answer = (channel, session), partial(self._say, channel, session)
                if phase is Phase.TRANSPORT:
                    self._serve(channel, session, message)
                else:
                    self._introduce(channel, message)
            case _:
                pass

    def _greet(self, channel: Channel, request: bytes) -> None:
        if len(request) != _GREETING_BYTES:
            raise NoiseError("wrong length")
        wants_unlock = bool(request[-1] & 1)
        if self._device.state.unlocked:
            self._shake_hands(channel, request)
        elif not wants_unlock:
            self._refuse(channel, _LOCKED)
        else:
            # No host is known yet whom a ButtonRequest could tell of the PIN screen.
            self._served, self._answer = (channel, 0), partial(self._on_unlocking, channel, request)
            self._device.begin("Handshake", self._device.state.unlocking())

    def _on_unlocking(self, channel: Channel, request: bytes, said: MessageType) -> None:
        if isinstance(said, messages.ButtonRequest):
            self._device.look()
        elif isinstance(said, messages.Success):
            self._shake_hands(channel, request)
        else:
            self._refuse(channel, _LOCKED)

    def _shake_hands(self, channel: Channel, request: bytes) -> None:
        channel.post(packets.HANDSHAKE_ANSWER, channel.handshake.answer(request))
        channel.phase = Phase.COMPLETION

    def _complete(self, channel: Channel, request: bytes) -> None:
        channel.host_key, payload = channel.handshake.complete(request)
        channel.noted = self.identity.recognise(channel.host_key, _credential_in(payload))
        channel.recent = channel.noted is not None and bool(self._former(channel))
        known = _PAIRED_RECENTLY if channel.recent else _PAIRED
        channel.phase = Phase.PAIRING if channel.noted is None else Phase.CREDENTIAL
        state = _UNPAIRED if channel.noted is None else known
        channel.post(packets.COMPLETION_ANSWER, channel.handshake.sending.seal(state))

    def _introduce(self, channel: Channel, message: MessageType) -> None:
        device = self._device
        if isinstance(message, messages.Cancel) or device.awaits(message):
            device.receive(message)
            return
        device.preempt()
        state, identity = device.state, self.identity
        match message:
            case messages.ThpPairingRequest() if channel.phase is Phase.PAIRING:
                device.begin(type(message).__name__, pairing.pair(state, identity, channel, message))
            case messages.ThpEndRequest() | messages.ThpCredentialRequest() if (
                channel.phase is Phase.CREDENTIAL
            ):
                device.begin(type(message).__name__, pairing.connect(state, identity, channel, message))
            case _:
                code = messages.FailureType.UnexpectedMessage
                self._on_reply(messages.Failure(code=code, message="Unexpected message"))

    def _serve(self, channel: Channel, session: int, message: MessageType) -> None:
        device = self._device
        if isinstance(message, messages.ThpCredentialRequest):
            workflow = pairing.renew(device.state, self.identity, channel, message)
            device.begin(type(message).__name__, workflow)
        else:
            device.state.active = _session_key(channel, session)
            device.receive(message)

    def _on_reply(self, message: MessageType) -> None:
        self._answer(message)

    def _say(self, channel: Channel, session: int, message: MessageType) -> None:
        if isinstance(message, messages.ThpEndResponse):
            self._replace(channel)
        if self.channels.get(channel.number) is channel:
            channel.say(session, message)

    def _former(self, channel: Channel) -> list[Channel]:
        return [
            each
            for each in self.channels.values()
            if each is not channel and each.phase is Phase.TRANSPORT and each.host_key == channel.host_key
        ]

    def _replace(self, channel: Channel) -> None:
        """Its host has come again: the old channel goes, its sessions stay."""
        sessions = self._device.state.sessions
        for former in self._former(channel):
            del self.channels[former.number]
            for key in [key for key in sessions if key.startswith(_session_key(former, 0)[:-1])]:
                sessions[_session_key(channel, key[-1])] = sessions.pop(key)

    def _refuse(self, channel: Channel, error: int) -> None:
        """Heard, and refused: in this order, or the host takes it for an answer to something else."""
        channel.settle()
        self._fail(channel.number, error)

    def _fail(self, number: int, error: int) -> None:
        self._send(Frame(control=packets.ERROR, channel=number, content=bytes((error,))))

    def _send(self, frame: Frame) -> None:
        for chunk in packets.chunks(frame):
            self._send_chunk(chunk)


def _session_key(channel: Channel, session: int) -> bytes:
    return channel.number.to_bytes(2, "big") + bytes((session,))


def _credential_in(payload: bytes) -> bytes | None:
    try:
        return decode(messages.ThpHandshakeCompletionReqNoisePayload, payload).host_pairing_credential
    except ValueError:
        return None


def _nowhere(_: MessageType) -> None:
    """No host has said anything yet."""
