"""One host's channel: what was heard and said last, its ciphers, how far it is. Says nothing twice unasked.

Messages alternate their sequence bit, and the next one leaves when the last was acknowledged. A device with
metal around it repeats by a clock; this one repeats when the host does, or says something new.
"""

from collections import deque
from collections.abc import Callable
from enum import Enum, auto

from trezorlib import messages
from trezorlib.mapping import DEFAULT_MAPPING
from trezorlib.protobuf import MessageType

from signer.mock.devices.trezor.thp.identity import Identity
from signer.mock.devices.trezor.thp.noise import Handshake
from signer.mock.devices.trezor.thp.packets import ENCRYPTED, Frame, acknowledgement, data

_HEADER_BYTES = 3


class Phase(Enum):
    """HELLO → COMPLETION → PAIRING | CREDENTIAL → TRANSPORT."""

    HELLO = auto()
    COMPLETION = auto()
    PAIRING = auto()
    CREDENTIAL = auto()
    TRANSPORT = auto()
    SPOILT = auto()
    """A wrong code was told: the host has to begin on another channel."""


class Channel:
    """`noted` is what the device knows of its host; `recent` says that this host had a channel until now."""

    def __init__(self, number: int, handshake: Handshake, send: Callable[[Frame], None]) -> None:
        self.number = number
        self.phase = Phase.HELLO
        self.handshake = handshake
        self.host_key = b""
        self.noted: messages.ThpCredentialMetadata | None = None
        self.recent = False
        self.piggybacks = False
        self._send = send
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._unheard: Frame | None = None
        self._sends = False
        self._expects = False
        self._owes = False

    def recognised(self, identity: Identity, credential: bytes | None) -> bool:
        """Whether this host came with a credential, or shows one now."""
        return self.recent or identity.recognise(self.host_key, credential) is not None

    def accept(self, frame: Frame) -> bool:
        """Whether the frame is news; it is acknowledged in either case, at the latest by `settle`."""
        if self.piggybacks:
            self.heard(frame.acknowledges)
        news = frame.sequence is self._expects
        if news:
            self._expects = not self._expects
            self._owes = True
        if not news or not self.piggybacks:
            self._acknowledge(frame.sequence)
        if self._unheard is not None:
            self._send(self._unheard)
        return news

    def settle(self) -> None:
        """Acknowledge what no answer has acknowledged."""
        if self._owes:
            self._acknowledge(not self._expects)

    def heard(self, sequence: bool) -> None:  # noqa: FBT001 - a bit of the wire
        """The host acknowledges our message with this bit."""
        if self._unheard is not None and self._unheard.sequence is sequence:
            self._unheard = None
            self._go_on()

    def post(self, kind: int, content: bytes) -> None:
        """Say something, when all before it was heard."""
        self._waiting.append((kind, content))
        self._go_on()

    def say(self, session: int, message: MessageType) -> None:
        """Say something to an application of the host."""
        kind, content = DEFAULT_MAPPING.encode(message)
        text = session.to_bytes(1, "big") + kind.to_bytes(2, "big") + content
        self.post(ENCRYPTED, self.handshake.sending.seal(text))

    def understand(self, sealed: bytes) -> tuple[int, MessageType]:
        """Return session and message. Raises NoiseError; what is no message becomes a Failure."""
        text = self.handshake.receiving.open(sealed)
        session, kind = text[0] if text else 0, int.from_bytes(text[1:_HEADER_BYTES], "big")
        try:
            return session, DEFAULT_MAPPING.decode(kind, text[_HEADER_BYTES:])
        except (KeyError, ValueError, TypeError, EOFError):
            return session, messages.Failure(code=messages.FailureType.DataError, message="not a message")

    def _go_on(self) -> None:
        if self._unheard is not None or not self._waiting:
            return
        kind, content = self._waiting.popleft()
        frame = data(kind, self.number, content, sequence=self._sends, acknowledges=not self._expects)
        self._sends = not self._sends
        self._unheard = frame
        if self.piggybacks:
            self._owes = False
        self._send(frame)

    def _acknowledge(self, sequence: bool) -> None:  # noqa: FBT001 - a bit of the wire
        self._owes = False
        self._send(acknowledgement(self.number, sequence=sequence))
