"""Protocol v1 on the device's side: 64-byte chunks to messages and back. Garbage becomes a Failure.

First chunk `?##`, type (2 bytes), length (4 bytes), content; further ones `?` and content; padded with zeros.
"""

import struct
from collections.abc import Iterator

from trezorlib import messages
from trezorlib.mapping import DEFAULT_MAPPING
from trezorlib.protobuf import MessageType

CHUNK_BYTES = 64
FIRST = b"?##"
_NEXT = b"?"
_HEADER = struct.Struct(">HL")
_LARGEST_MESSAGE_BYTES = 64 * 1024


class Assembler:
    """Puts the host's chunks together."""

    def __init__(self) -> None:
        self._type = 0
        self._length = 0
        self._content: bytearray | None = None

    def add(self, chunk: bytes) -> MessageType | None:
        """Return the message that this chunk completes; a Failure, unknown to every device, for garbage."""
        if chunk.startswith(FIRST):
            at = len(FIRST)
            self._type, self._length = _HEADER.unpack_from(chunk, at)
            self._content = bytearray(chunk[at + _HEADER.size :])
        elif chunk.startswith(_NEXT) and self._content is not None:
            self._content += chunk[len(_NEXT) :]
        if self._content is None or len(self._content) < min(self._length, _LARGEST_MESSAGE_BYTES):
            return None
        content, self._content = bytes(self._content[: self._length]), None
        try:
            return DEFAULT_MAPPING.decode(self._type, content)
        except (KeyError, ValueError, TypeError, EOFError):
            return messages.Failure(code=messages.FailureType.DataError, message="not a message")


def chunks(message: MessageType) -> Iterator[bytes]:
    """A message as the device sends it."""
    kind, content = DEFAULT_MAPPING.encode(message)
    stream = FIRST[1:] + _HEADER.pack(kind, len(content)) + content
    for at in range(0, len(stream), CHUNK_BYTES - 1):
        yield (_NEXT + stream[at : at + CHUNK_BYTES - 1]).ljust(CHUNK_BYTES, b"\0")


def forgets_what_was_kept(chunk: bytes) -> bool:
    """Whether a device drops what no host has fetched: at Cancel, Initialize, or another protocol."""
    if not chunk.startswith(_NEXT):
        return True
    kinds = (messages.Cancel.MESSAGE_WIRE_TYPE, messages.Initialize.MESSAGE_WIRE_TYPE)
    return chunk.startswith(FIRST) and _HEADER.unpack_from(chunk, len(FIRST))[0] in kinds
