"""One Ledger: checked before each request, one review at a time, nothing that came late is ever used.

Blocking; the device's owner runs it in its thread. Whatever the device says, the worst is an error by name: a
signature is used only if the pinned key made it over our own digest, for the request that waits for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from signer.adapters.device.deadline import Deadline
from signer.adapters.device.owner import GivenUpError, Ticket
from signer.adapters.device.states import DeviceState
from signer.adapters.ledger_device import situations
from signer.adapters.ledger_device.application import (
    CONFIGURATION_LENGTHS,
    WHICH_APPLICATION,
    Key,
    KeyPlace,
    Request,
    read_running,
)
from signer.adapters.ledger_device.channel import Channel, NoAnswerError
from signer.adapters.ledger_device.chunks import OK, Answer
from signer.adapters.ledger_device.situations import Asked
from signer.adapters.ledger_device.status_words import error_of
from signer.adapters.ledger_device.transport import Transport, TransportGoneError
from signer.domain.errors import BrokenError, PreconditionError, SignerError
from signer.domain.reasons import FailReason
from signer.ports.device import DevicePhase
from signer.ports.events import EventLog

T = TypeVar("T")

_LEFT_OVER = 0x6980
_BUSY = 0x6901
_NEVER_TO_A_QUESTION = frozenset({0x6985, 0x6A87})
"""Words that only a review, or a device that was locked a moment ago, sends: here they are late."""

_UNASKED_MAX = 64
"""Answers that are destroyed before a request. Whoever sends more would talk for ever, and be listened to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long each kind of wait may last, milliseconds.

    `listen_ms`: on a new connection, for an answer that nobody here asked for. `drain_ms`: how long a request
    that was given up is waited for before the connection is made anew.
    """

    approval_ms: int = 90_000
    answer_ms: int = 5_000
    listen_ms: int = 300
    drain_ms: int = 120_000


class _GarbledError(Exception):
    """An answer that is none to what we asked: somebody else's, or a late one."""


@dataclass(frozen=True, slots=True)
class _Held:
    """What the open application said of itself and of a path."""

    blind_signing: bool
    address: str


class LedgerSession:
    """See `signer.adapters.device.owner.DeviceSession`."""

    def __init__(
        self, open_transport: Callable[[], Transport], *, name: str, patience: Patience, log: EventLog
    ) -> None:
        """`open_transport` makes a new connection and raises TransportGoneError. Opens nothing yet."""
        self.name = name
        self._open_transport = open_transport
        self._patience = patience
        self._log = log
        self._state = DeviceState.GONE
        self._channel: Channel | None = None
        self._settled = False  # nothing of an earlier life is on the screen or on its way
        self._drained_by = Deadline(0)
        self._model = ""
        self._detail = ""

    @property
    def state(self) -> DeviceState:
        """Cached."""
        return self._state

    @property
    def detail(self) -> str:
        """Its model (over USB) and the application that was open when it was last asked, with its version."""
        return self._detail

    def check(self, key: Key) -> bool:
        """Make sure that the pinned key is there; whether blind signing is on.

        Raises as `sign`; shows nothing to the person.
        """
        held = self._prepare(key)
        if held.address != key.address:
            self.close()
            raise situations.another_key(self._asked(key), held.address, key.account)
        return held.blind_signing

    def address(self, place: KeyPlace) -> str:
        """What the device has there, pinned or not. Raises as `check`; shows nothing to the person."""
        return self._prepare(place).address

    def sign(self, request: Request[T], ticket: Ticket) -> T:
        """Have a request signed by the person.

        Raises RejectedError, PreconditionError (a person must act; DEVICE_OUTCOME_UNKNOWN when the connection
        was lost in review), UnavailableError (nothing was shown or signed) and BrokenError.
        """
        return self.sign_made(request.key, lambda: request, ticket)

    def sign_made(self, key: Key, make: Callable[[], Request[T]], ticket: Ticket) -> T:
        """`sign` what `make` makes once the device is ready. When that raises, nothing is shown."""
        try:
            blind_signing = self.check(key)
            request = make()
            if request.needs_blind_signing and not blind_signing:
                raise situations.blind_signing_off(self._asked(request.key))
            channel = self._connected(request.key)
            self._upload(request, channel)
            signature = self._review(request, channel, ticket)
        except SignerError as error:
            ticket.tell(DevicePhase.ENDED, str(error))
            raise
        ticket.tell(DevicePhase.CONFIRMED)
        return signature

    def drain(self, ms: int) -> None:
        """While DRAINING: read the late answer and destroy it."""
        if self._state is not DeviceState.DRAINING or self._channel is None:
            return
        try:
            answer = self._channel.hear(Deadline(ms))
        except TransportGoneError:
            self.close()
            return
        if answer is not None and answer.word != _BUSY:
            self._destroyed(answer)
            self._state = DeviceState.IDLE
        elif self._drained_by.left_ms() == 0:
            # The answer went elsewhere or will never come. A new connection finds out what is on the screen.
            self.close()

    def close(self) -> None:
        """Drop the connection."""
        if self._channel is not None:
            self._channel.close()
        self._channel = None
        self._settled = False
        self._state = DeviceState.GONE

    # Before a request

    def _prepare(self, key: KeyPlace) -> "_Held":
        """Connect if need be and look at everything.

        Nothing is on the screen yet, so a connection that was lost meanwhile is made anew, once.
        """
        try:
            return self._checked(key)
        except (TransportGoneError, _GarbledError):
            self.close()
        try:
            return self._checked(key)
        except TransportGoneError as error:
            self.close()
            raise situations.not_there(self._asked(key), str(error)) from None
        except _GarbledError as error:
            self.close()
            raise situations.garbled(self._asked(key), str(error)) from None

    def _checked(self, key: KeyPlace) -> "_Held":
        if self._channel is None:
            transport = self._open_transport()
            self._channel, self._model = Channel(transport), transport.model
        channel = self._channel
        self._listen(channel, 0 if self._settled else self._patience.listen_ms)
        self._require_application(channel, key)
        if not self._settled:
            self._end_dialog(channel, key)
            self._settled, self._state = True, DeviceState.IDLE
        application = key.application
        configuration = self._asked_for(channel, application.configuration, key)
        address = self._asked_for(channel, application.ask_address(key.path), key)
        try:
            return _Held(application.blind_signing(configuration), application.address(address))
        except ValueError as error:
            raise _GarbledError(str(error)) from None

    def _listen(self, channel: Channel, ms: int) -> None:
        """Destroy answers that nobody here waits for: of a review that outlived its connection."""
        deadline = Deadline(ms)
        for _ in range(_UNASKED_MAX):
            if (answer := channel.hear(deadline)) is None:
                return
            self._destroyed(answer)
        raise _GarbledError(f"more than {_UNASKED_MAX} answers without being asked")

    def _require_application(self, channel: Channel, key: KeyPlace) -> None:
        data = self._asked_for(channel, WHICH_APPLICATION, key)
        try:
            running = read_running(data)
        except ValueError as error:
            raise _GarbledError(str(error)) from None
        self._detail = f"{self._model}, {running}" if self._model else str(running)
        if running.name != key.application.name:
            raise situations.wrong_application(self._asked(key), running.name)
        if running.version < key.application.minimum:
            raise situations.too_old(self._asked(key), running.version)

    def _end_dialog(self, channel: Channel, key: KeyPlace) -> None:
        """End what may still be on the screen, of our own last life or of another program.

        To ask anything else while a dialog is open would crash the application at the next press.
        """
        if key.application.end_dialog is None:
            return
        answer = self._ask(channel, key.application.end_dialog(key.path), key)
        if answer.word == _LEFT_OVER:
            self._log.event("device.dialog_ended", device=self.name)
        elif answer.word != OK:
            raise self._refused(answer, key)

    def _asked_for(self, channel: Channel, apdu: bytes, key: KeyPlace) -> bytes:
        """Data of the answer to a question that shows nothing."""
        answer = self._ask(channel, apdu, key)
        if answer.word in _NEVER_TO_A_QUESTION:
            self._destroyed(answer)
            raise _GarbledError(f"{answer.word:04x}")
        if answer.word != OK:
            raise self._refused(answer, key)
        return answer.data

    def _ask(self, channel: Channel, apdu: bytes, key: KeyPlace) -> Answer:
        try:
            return channel.ask(apdu, self._patience.answer_ms)
        except NoAnswerError:
            self.close()
            raise situations.silent(self._asked(key)) from None

    # The request itself

    def _upload(self, request: Request[T], channel: Channel) -> None:
        """Send all but the last piece. The person sees nothing yet."""
        asked = self._asked(request.key)
        for apdu in request.commands[:-1]:
            try:
                answer = self._ask(channel, apdu, request.key)
            except TransportGoneError:
                self.close()
                raise situations.lost_before_review(asked) from None
            if answer.word != OK:
                raise self._refused(answer, request.key)
            if answer.data:
                self.close()
                raise self._no_signature(answer, request)

    def _review(self, request: Request[T], channel: Channel, ticket: Ticket) -> T:
        """Send the last piece and wait for the person."""
        key = request.key
        if ticket.given_up:
            raise GivenUpError
        self._state = DeviceState.REVIEWING
        self._log.event("device.review_begins", device=self.name, account=key.account)
        deadline = Deadline(self._patience.approval_ms)
        ticket.tell(DevicePhase.WAITING_FOR_CONFIRMATION, f"{self.name}: {request.shown}")
        try:
            channel.send(request.commands[-1])
            answer = channel.hear(deadline, until=lambda: ticket.given_up)
        except TransportGoneError:
            self.close()
            raise situations.lost_in_review(self._asked(key)) from None
        if answer is None:
            self._give_up(key, channel)
            if ticket.given_up:
                raise GivenUpError
            raise situations.not_confirmed(self._asked(key), self._patience.approval_ms)
        self._state = DeviceState.IDLE
        took_ms = self._patience.approval_ms - deadline.left_ms()
        self._log.event("device.review_ends", device=self.name, word=f"{answer.word:04x}", took_ms=took_ms)
        return self._signature(request, answer)

    def _signature(self, request: Request[T], answer: Answer) -> T:
        if answer.word != OK:
            raise self._refused(answer, request.key)
        if len(answer.data) != request.answer_bytes:
            self.close()
            raise self._no_signature(answer, request)
        try:
            return request.read(answer.data)
        except ValueError as error:
            self.close()
            self._log.event("device.signature_refused", device=self.name, account=request.key.account)
            raise situations.foreign_signature(self._asked(request.key), str(error)) from None

    def _give_up(self, key: Key, channel: Channel) -> None:
        """Nobody waits for the review any more: end it, or wait for its answer in order to destroy it."""
        self._state = DeviceState.DRAINING
        self._drained_by = Deadline(self._patience.drain_ms)
        self._log.event("device.review_given_up", device=self.name, account=key.account)
        if key.application.end_dialog is None:
            return
        try:
            channel.send(key.application.end_dialog(key.path))
            deadline = Deadline(self._patience.answer_ms)
            while deadline.left_ms() > 0 and (answer := channel.hear(deadline)) is not None:
                if answer.word == _LEFT_OVER or answer == Answer(b"", OK):
                    self._state = DeviceState.IDLE
                    return
                if answer.word == _BUSY:  # it ends no dialog for us: a person must
                    return
                self._destroyed(answer)
        except TransportGoneError:
            pass
        self.close()

    def _connected(self, key: KeyPlace) -> Channel:
        if self._channel is None:
            raise situations.lost_before_review(self._asked(key))
        return self._channel

    def _asked(self, key: KeyPlace) -> Asked:
        return Asked(device=self.name, application=key.application)

    def _refused(self, answer: Answer, key: KeyPlace) -> SignerError:
        """The error of a word. A locked device goes on talking unasked, so it gets a new connection."""
        error = error_of(answer.word, self._asked(key))
        locked = isinstance(error, PreconditionError) and error.reason is FailReason.DEVICE_LOCKED
        if locked or isinstance(error, BrokenError):
            self.close()
        return error

    def _no_signature(self, answer: Answer, request: Request[T]) -> SignerError:
        """The error for 9000 with data where no signature was due, or with data that is none."""
        asked = self._asked(request.key)
        if len(answer.data) in CONFIGURATION_LENGTHS:
            return situations.wrong_application(asked, "another application")
        if len(answer.data) == request.answer_bytes:
            return situations.signed_early(asked)
        return situations.wrong_length(asked, len(answer.data), request.answer_bytes)

    def _destroyed(self, answer: Answer) -> None:
        self._log.event(
            "device.late_answer_destroyed",
            device=self.name,
            word=f"{answer.word:04x}",
            length=len(answer.data),
        )
