"""Asks a device and hears its answer. Never asks while an answer is due: that loses signatures."""

from collections.abc import Callable

from signer.adapters.device.deadline import Deadline
from signer.adapters.ledger_device.chunks import Answer, parse
from signer.adapters.ledger_device.transport import Transport, TransportGoneError

_SLICE_MS = 25
"""How often somebody who waits looks whether they still should."""


class NoAnswerError(Exception):
    """A command that shows nothing to a person had no answer in time."""


class Channel:
    """One open connection."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def ask(self, apdu: bytes, ms: int) -> Answer:
        """Send and wait. Raises NoAnswerError, TransportGoneError."""
        self.send(apdu)
        answer = self.hear(Deadline(ms))
        if answer is None:
            raise NoAnswerError
        return answer

    def send(self, apdu: bytes) -> None:
        """Send only. Raises TransportGoneError."""
        self._transport.send(apdu)

    def hear(self, deadline: Deadline, until: Callable[[], bool] = lambda: False) -> Answer | None:
        """Wait for an answer; None when the deadline passes or `until` says so. Raises TransportGoneError."""
        while True:
            left = deadline.left_ms()
            raw = self._transport.receive(min(left, _SLICE_MS))
            if raw is not None:
                return _parsed(raw)
            if left <= 0 or until():
                return None

    def close(self) -> None:
        """End the connection."""
        self._transport.close()


def _parsed(raw: bytes) -> Answer:
    try:
        return parse(raw)
    except ValueError as error:
        raise TransportGoneError(str(error)) from None
