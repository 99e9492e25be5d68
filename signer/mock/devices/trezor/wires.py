"""Which protocol a device speaks, and protocol v1, which believes every host. THP has its own folder."""

from collections.abc import Callable
from typing import Protocol

from trezorlib.protobuf import MessageType

from signer.mock.devices.trezor.device import TrezorDevice
from signer.mock.devices.trezor.thp.wire import ThpWire
from signer.mock.devices.trezor.wire import Assembler, chunks


class Wire(Protocol):
    """Between one device and whatever carries its packets."""

    def receive(self, chunk: bytes) -> None:
        """Take one packet of a host."""
        ...

    def reset(self) -> None:
        """What was half on its way is lost."""
        ...


class V1Wire:
    """Protocol v1: every host is believed, and nothing is numbered."""

    def __init__(self, device: TrezorDevice, send: Callable[[bytes], None]) -> None:
        self._device = device
        self._send_chunk = send
        self._assembler = Assembler()
        device.on_reply = self._send

    def receive(self, chunk: bytes) -> None:
        """Take one packet of a host."""
        message = self._assembler.add(chunk)
        if message is not None:
            self._device.receive(message)

    def reset(self) -> None:
        """What was half on its way is lost."""
        self._assembler = Assembler()

    def _send(self, message: MessageType) -> None:
        for chunk in chunks(message):
            self._send_chunk(chunk)


def wire_of(device: TrezorDevice, send: Callable[[bytes], None]) -> Wire:
    """The wire of this device; `send` takes its packets, one by one."""
    kind = V1Wire if device.state.flavour.thp is None else ThpWire
    return kind(device, send)
