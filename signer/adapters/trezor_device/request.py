"""One request on its way through the device: its time, what was shown, who watches. Touches no device."""

from trezorlib import exceptions, messages

from signer.adapters.device.deadline import Deadline
from signer.adapters.device.owner import GivenUpError, Ticket
from signer.ports.device import DevicePhase

_SLICE_S = 0.1
"""How long a read may be deaf to a caller who leaves."""

_ELSEWHERE = {
    messages.ButtonRequestType.PinEntry: "enter the PIN on the device",
    messages.ButtonRequestType.PassphraseEntry: "enter the passphrase on the device",
}


_CONNECTION = "thp_connection_request"
"""A THP device asks whether this computer may connect: once after its restart."""


class TimeOverError(Exception):
    """The time of the request is up."""


class Request:
    """What happened so far. `screens` is how many the person will see, or None where nobody knows."""

    def __init__(self, ticket: Ticket | None, *, answer_ms: int, approval_ms: int = 0) -> None:
        self._ticket = ticket
        self._answer_ms = answer_ms
        self._approval_ms = max(answer_ms, approval_ms)
        self.begin()
        self.screens: int | None = None
        self.seen = 0
        self.asked = False
        self.at_entry = False
        self.at_connection = False
        self.wants_host_pin = False

    def begin(self) -> None:
        """The time counts from here; again where the first attempt showed nothing to anybody."""
        self._answer = Deadline(self._answer_ms)
        self._approval = Deadline(self._approval_ms)

    @property
    def shown(self) -> bool:
        """Whether anything at all was on the display."""
        return self.seen > 0 or self.at_entry or self.at_connection

    def ask(self, *, screens: int | None) -> None:
        """From here on the device may show what is to be signed: no second prompt by itself."""
        self.asked = True
        self.at_entry = self.at_connection = False
        self.screens = screens

    def ask_pin(self) -> None:
        """The device shows its PIN screen and cannot tell us so: no channel is open yet."""
        self.at_entry = True
        self._tell(_ELSEWHERE[messages.ButtonRequestType.PinEntry])

    def slice_s(self) -> float:
        """Seconds that one read may take. Raises TimeOverError, or GivenUpError when the caller has left."""
        if self._ticket is not None and self._ticket.given_up:
            raise GivenUpError
        attended = self.asked or self.shown
        left = (self._approval if attended else self._answer).left_ms()
        if left <= 0:
            raise TimeOverError
        return min(_SLICE_S, left / 1_000)

    def on_button(self, button: messages.ButtonRequest) -> None:
        """The device shows something. Called by the library between two reads: only tell, never wait."""
        elsewhere = _ELSEWHERE.get(button.code) if button.code is not None else None
        if elsewhere is not None:
            self.at_entry = True
            self._tell(elsewhere)
            return
        self.at_entry = False
        if button.name == _CONNECTION:
            self.at_connection = True
            self._tell("allow this computer to connect: confirm on the device")
            return
        self.seen += 1
        total = f" of {self.screens}" if self.screens is not None and self.seen <= self.screens else ""
        self._tell(f"confirm on the device: screen {self.seen}{total}")

    def on_host_pin(self, _: messages.PinMatrixRequest) -> str:
        """Model One asks for its PIN at the computer. Nobody is asked: the library must be told to cancel."""
        self.wants_host_pin = True
        raise exceptions.Cancelled

    def confirm(self) -> None:
        """The signature is there and verified."""
        if self._ticket is not None:
            self._ticket.tell(DevicePhase.CONFIRMED, "confirmed on the device")

    def _tell(self, message: str) -> None:
        if self._ticket is not None:
            self._ticket.tell(DevicePhase.WAITING_FOR_CONFIRMATION, message)
