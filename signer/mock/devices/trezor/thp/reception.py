"""Whom the device lets in, and to whom it speaks. Serves no host that it does not trust.

A host greets, proves what it has, is introduced (pairing, or a credential), and is served from then on.
"""

from collections.abc import Callable, MutableMapping
from functools import partial

from trezorlib import messages
from trezorlib.protobuf import MessageType

from signer.mock.devices.trezor.device import TrezorDevice
from signer.mock.devices.trezor.thp import packets, pairing
from signer.mock.devices.trezor.thp.channel import Channel, Phase
from signer.mock.devices.trezor.thp.coding import decode
from signer.mock.devices.trezor.thp.identity import Identity
from signer.mock.devices.trezor.thp.noise import KEY_BYTES, NoiseError
from signer.mock.devices.trezor.thp.packets import Frame

_LOCKED = 5
_UNPAIRED, _PAIRED, _PAIRED_RECENTLY = b"\0", b"\1", b"\2"
_GREETING_BYTES = KEY_BYTES + 1


class Reception:
    """`refuse` tells a channel an error. Called with the device's mutex held."""

    def __init__(
        self,
        device: TrezorDevice,
        identity: Identity,
        channels: MutableMapping[int, Channel],
        refuse: Callable[[Channel, int], None],
    ) -> None:
        self._device = device
        self._identity = identity
        self._channels = channels
        self._refuse = refuse
        self._served: tuple[Channel, int] | None = None
        self._answer: Callable[[MessageType], None] = _nowhere
        device.on_reply = self._on_reply

    def is_busy_without(self, channel: Channel) -> bool:
        """Whether a dialog of another host is on the display."""
        return self._device.busy and self._served is not None and self._served[0] is not channel

    def hear(self, channel: Channel, frame: Frame) -> None:
        """Take one message that is news. Raises NoiseError for what is not authentic."""
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
        channel.noted = self._identity.recognise(channel.host_key, _credential_in(payload))
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
        state, identity = device.state, self._identity
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
            workflow = pairing.renew(device.state, self._identity, channel, message)
            device.begin(type(message).__name__, workflow)
        else:
            device.state.active = _session_key(channel, session)
            device.receive(message)

    def _on_reply(self, message: MessageType) -> None:
        self._answer(message)

    def _say(self, channel: Channel, session: int, message: MessageType) -> None:
        if isinstance(message, messages.ThpEndResponse):
            self._replace(channel)
        if self._channels.get(channel.number) is channel:
            channel.say(session, message)

    def _former(self, channel: Channel) -> list[Channel]:
        return [
            each
            for each in self._channels.values()
            if each is not channel and each.phase is Phase.TRANSPORT and each.host_key == channel.host_key
        ]

    def _replace(self, channel: Channel) -> None:
        """Its host has come again: the old channel goes, its sessions stay."""
        sessions = self._device.state.sessions
        for former in self._former(channel):
            del self._channels[former.number]
            for key in [key for key in sessions if key.startswith(_session_key(former, 0)[:-1])]:
                sessions[_session_key(channel, key[-1])] = sessions.pop(key)


def _session_key(channel: Channel, session: int) -> bytes:
    return channel.number.to_bytes(2, "big") + bytes((session,))


def _credential_in(payload: bytes) -> bytes | None:
    try:
        return decode(messages.ThpHandshakeCompletionReqNoisePayload, payload).host_pairing_credential
    except ValueError:
        return None


def _nowhere(_: MessageType) -> None:
    """No host has said anything yet."""
