"""The protocol of a Safe 7: packets in, packets out, a channel for each host. Who gets in is `reception`'s.

What protocol v1 says is answered with "invalid protocol", by which a host learns what it talks to.
"""

from collections import OrderedDict
from collections.abc import Callable

from trezorlib import messages

from signer.mock.devices.trezor import wire as v1
from signer.mock.devices.trezor.device import TrezorDevice
from signer.mock.devices.trezor.thp import packets, pairing
from signer.mock.devices.trezor.thp.channel import Channel, Phase
from signer.mock.devices.trezor.thp.coding import encode
from signer.mock.devices.trezor.thp.identity import Identity
from signer.mock.devices.trezor.thp.noise import Handshake, NoiseError
from signer.mock.devices.trezor.thp.packets import BROADCAST, Frame
from signer.mock.devices.trezor.thp.reception import Reception

REMEMBERED_CHANNELS = 10
"""Channels that a device keeps; the one that was used longest ago goes."""

_BUSY, _UNALLOCATED, _UNDECIPHERABLE = 1, 2, 3
_LAST_CHANNEL = 0xFFEF
_NONCE_BYTES = 8


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
        self._reception = Reception(device, self.identity, self.channels, self._refuse)
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
        interrupts = frame.kind == packets.ENCRYPTED and self._reception.is_busy_without(channel)
        if self.occupied or interrupts:
            # The first word of another host ends the dialog of this one; its repetition is heard.
            self._device.preempt()
            self._fail(channel.number, _BUSY)
            return
        if channel.phase is Phase.HELLO:
            channel.piggybacks = (self._device.state.flavour.thp or (2, 0)) >= (2, 1) and frame.acknowledges
        if not channel.accept(frame):
            return
        try:
            self._reception.hear(channel, frame)
        except NoiseError:
            del self.channels[channel.number]
            self._refuse(channel, _UNDECIPHERABLE)
        channel.settle()

    def _refuse(self, channel: Channel, error: int) -> None:
        """Heard, and refused: in this order, or the host takes it for an answer to something else."""
        channel.settle()
        self._fail(channel.number, error)

    def _fail(self, number: int, error: int) -> None:
        self._send(Frame(control=packets.ERROR, channel=number, content=bytes((error,))))

    def _send(self, frame: Frame) -> None:
        for chunk in packets.chunks(frame):
            self._send_chunk(chunk)
