"""Packets of the Trezor-Host Protocol: 64 bytes, a header, a checksum at the end. Drops what is damaged.

First packet: control byte, channel (2 bytes), length (2 bytes), content; further ones: 0x80, channel and
content. The length counts content and CRC-32, which covers the header, too. Source: THP specification.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from signer.mock.devices.trezor.wire import CHUNK_BYTES

BROADCAST = 0xFFFF

HANDSHAKE_REQUEST, HANDSHAKE_ANSWER, COMPLETION_REQUEST, COMPLETION_ANSWER, ENCRYPTED = range(5)
ACK, ALLOCATION_REQUEST, ALLOCATION_ANSWER, ERROR, PING, PONG = 0x20, 0x40, 0x41, 0x42, 0x43, 0x44

_CONTINUES = 0x80
_SEQUENCE_BIT, _ACK_BIT = 0x10, 0x08
_DATA_BITS, _KIND_BITS, _ACK_KIND_BITS = 0xE0, 0xE7, 0xF7
_FIRST, _NEXT = struct.Struct(">BHH"), struct.Struct(">BH")
_CHECKSUM_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One message on a channel, not yet or no longer cut into packets."""

    control: int
    channel: int
    content: bytes = b""

    @property
    def carries_data(self) -> bool:
        """Handshake or encrypted: it has a sequence bit and wants to be acknowledged."""
        return not self.control & _DATA_BITS

    @property
    def kind(self) -> int:
        """The control byte without its bits."""
        return self.control & (_KIND_BITS if self.carries_data else _ACK_KIND_BITS)

    @property
    def sequence(self) -> bool:
        """Alternates between one message and the next."""
        return bool(self.control & _SEQUENCE_BIT)

    @property
    def acknowledges(self) -> bool:
        """Sequence bit of the message that the sender heard last."""
        return bool(self.control & _ACK_BIT)


def data(kind: int, channel: int, content: bytes, *, sequence: bool, acknowledges: bool) -> Frame:
    """A message that wants to be acknowledged."""
    control = kind | _SEQUENCE_BIT * sequence | _ACK_BIT * acknowledges
    return Frame(control=control, channel=channel, content=content)


def acknowledgement(channel: int, *, sequence: bool) -> Frame:
    """That a message was heard."""
    return Frame(control=ACK | _ACK_BIT * sequence, channel=channel)


def chunks(frame: Frame) -> Iterator[bytes]:
    """A frame as it goes over the wire."""
    head = _FIRST.pack(frame.control, frame.channel, len(frame.content) + _CHECKSUM_BYTES)
    stream = head + frame.content + _checksum(head + frame.content)
    yield stream[:CHUNK_BYTES].ljust(CHUNK_BYTES, b"\0")
    step = CHUNK_BYTES - _NEXT.size
    for at in range(CHUNK_BYTES, len(stream), step):
        yield (_NEXT.pack(_CONTINUES, frame.channel) + stream[at : at + step]).ljust(CHUNK_BYTES, b"\0")


class Assembler:
    """Puts packets together, those of several channels side by side."""

    def __init__(self) -> None:
        self._begun: dict[int, tuple[int, int, bytearray]] = {}

    def add(self, chunk: bytes) -> Frame | None:
        """Return the frame that this packet completes. A damaged one is as if it had never come."""
        if len(chunk) < _FIRST.size:
            return None
        if chunk[0] & _CONTINUES:
            _, channel = _NEXT.unpack_from(chunk)
            if channel not in self._begun:
                return None
            self._begun[channel][2].extend(chunk[_NEXT.size :])
        else:
            control, channel, length = _FIRST.unpack_from(chunk)
            self._begun[channel] = (control, length, bytearray(chunk[_FIRST.size :]))
        control, length, content = self._begun[channel]
        if len(content) < length:
            return None
        del self._begun[channel]
        return _checked(control, channel, bytes(content[:length]))


def _checked(control: int, channel: int, content: bytes) -> Frame | None:
    body, checksum = content[:-_CHECKSUM_BYTES], content[-_CHECKSUM_BYTES:]
    if checksum != _checksum(_FIRST.pack(control, channel, len(content)) + body):
        return None
    return Frame(control=control, channel=channel, content=body)


def _checksum(covered: bytes) -> bytes:
    return zlib.crc32(covered).to_bytes(_CHECKSUM_BYTES, "big")
