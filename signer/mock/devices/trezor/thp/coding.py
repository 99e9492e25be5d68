"""Messages without a wire type: they travel inside of others. Refuses bytes that are none."""

import io
from typing import TypeVar

from trezorlib import protobuf

MessageT = TypeVar("MessageT", bound=protobuf.MessageType)


def encode(message: protobuf.MessageType) -> bytes:
    """The message as protobuf writes it."""
    buffer = io.BytesIO()
    protobuf.dump_message(buffer, message)
    return buffer.getvalue()


def decode(kind: type[MessageT], content: bytes) -> MessageT:
    """Read one message of this kind. Raises ValueError for what is none."""
    try:
        return protobuf.load_message(io.BytesIO(content), kind)
    except (EOFError, TypeError, KeyError) as error:
        raise ValueError(f"no {kind.__name__}: {error}") from None
