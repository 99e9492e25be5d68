"""The double itself: one command in, at most one answer out, and a person who presses. Knows no transport.

It copies what the real applications do, their hazards included: a review outlives its connection, an answer
goes to whoever is connected then, a command in mid-review swallows the signature or crashes the application.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from signer.adapters.dev_key.derivation import TEST_MNEMONIC
from signer.mock.devices.ledger.apdu import OK, RefusalError, Reply, Review
from signer.mock.devices.ledger.ethereum import EthereumApp
from signer.mock.devices.ledger.person import IGNORE, Act, Person, Press, always
from signer.mock.devices.ledger.solana import SolanaApp
from signer.mock.devices.seed import Seed

App: TypeAlias = EthereumApp | SolanaApp

_LOCKED = b"\x55\x15"
_REJECTED = b"\x69\x85"
_BUSY = b"\x69\x01"
_DASHBOARD_VERSION = "1.3.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens instead of an answer, once, to the next command `ins` (any, when None).

    `answer`: these bytes with their status word; None: silence, or with `cut` the connection ends.
    """

    answer: bytes | None = None
    cut: bool = False
    ins: int | None = None


class LedgerDevice:
    """One device. A transport sets the `on_…` hooks. All methods may be called from any thread."""

    def __init__(
        self, *, app: str | None = "Ethereum", person: Person | None = None, mnemonic: str = TEST_MNEMONIC
    ) -> None:
        self.person = person or always(IGNORE)
        self.locked = False
        self.unsolicited_after_lock = False
        self.answers_busy = False
        """As a future SDK: 6901 for every command while a review is open."""
        self.commands: list[bytes] = []
        self.reviews: list[Review] = []
        """Every review that ever opened."""
        self.signed: int = 0
        self.on_answer: Callable[[bytes], None] = lambda _answer: None
        self.on_cut: Callable[[], None] = lambda: None
        self.on_unplug: Callable[[], None] = lambda: None
        self.on_plug: Callable[[], None] = lambda: None
        self._lock = threading.RLock()
        self._faults: list[Fault] = []
        self._review: Review | None = None
        self.seed(mnemonic)
        self._app: App | None = None if app is None else self.apps[app]

    def seed(self, mnemonic: str) -> None:
        """Set the device up with another seed; its applications begin anew."""
        with self._lock:
            made = Seed(mnemonic)
            opened = self.app if hasattr(self, "_app") else None
            self.apps: dict[str, App] = {"Ethereum": EthereumApp(made), "Solana": SolanaApp(made)}
            self._app = self.apps[opened] if opened else None

    @property
    def app(self) -> str | None:
        """Name of the open application; None: the dashboard."""
        with self._lock:
            return self._app.name if self._app else None

    @property
    def review(self) -> Review | None:
        """What is on the screen."""
        with self._lock:
            return self._review

    def receive(self, apdu: bytes) -> None:
        """Take one command of the host."""
        with self._lock:
            self.commands.append(apdu)
            if (fault := self._fault_for(apdu)) is not None:
                self._do_fault(fault)
                return
            opened = self._review
            answer = self._answer_to(apdu)
            if answer is not None:
                self.on_answer(answer)
            if self.locked and self.unsolicited_after_lock:
                self.on_answer(b"\x6a\x87")
            shown = self._review if self._review is not opened else None
        if shown is not None:
            self._act(shown, self.person(shown))

    def approve(self) -> bool:
        """Press until the request is signed. False when nothing is on the screen."""
        return self._press(approved=True)

    def reject(self) -> bool:
        """Press until the request is rejected. False when nothing is on the screen."""
        return self._press(approved=False)

    def open_app(self, name: str | None) -> None:
        """Open an application from the dashboard, or with None go there. The connection ends, as over USB."""
        with self._lock:
            self._app, self._review = (self.apps[name] if name else None), None
            self.on_cut()

    def blind(self, *, on: bool) -> None:
        """Set blind signing in both applications."""
        with self._lock:
            for app in self.apps.values():
                app.blind = on

    def unplug(self) -> None:
        """No power: the review and everything that was uploaded is gone."""
        with self._lock:
            self._review = None
            self.on_unplug()

    def plug(self, *, app: str | None = "Ethereum", locked: bool = False) -> None:
        """Power again; the person opens `app`."""
        with self._lock:
            self._app, self.locked = (self.apps[app] if app else None), locked
            self.on_plug()

    def crash(self) -> None:
        """The application ends without a word: dashboard."""
        self.open_app(None)

    def drop(self) -> None:
        """The cable's other end is lost, the device keeps its power: a review stays on the screen."""
        self.on_cut()

    def fail_next(self, *faults: Fault) -> None:
        """Queue faults; each is used once."""
        with self._lock:
            self._faults.extend(faults)

    def _fault_for(self, apdu: bytes) -> Fault | None:
        for fault in self._faults:
            if fault.ins is None or (len(apdu) > 1 and apdu[1] == fault.ins):
                self._faults.remove(fault)
                return fault
        return None

    def _do_fault(self, fault: Fault) -> None:
        if fault.cut:
            self.on_cut()
        elif fault.answer is not None:
            self.on_answer(fault.answer)

    def _answer_to(self, apdu: bytes) -> bytes | None:
        if self.locked:
            return _LOCKED
        if self._review is not None and self.answers_busy:
            return _BUSY
        try:
            reply = self._system(apdu) if apdu[:1] == b"\xb0" else self._application(apdu)
        except RefusalError as refusal:
            return refusal.answer
        if isinstance(reply, Review):
            self._review = reply
            self.reviews.append(reply)
            return None
        return reply

    def _system(self, apdu: bytes) -> Reply | None:
        """Commands that every application has from the operating system."""
        if isinstance(self._app, SolanaApp) and self._review is not None:
            return None
        if apdu[1:2] == b"\x01":
            if self._review is not None:
                self._review.swallowed = True
            name, version = (
                (self._app.name, self._app.version) if self._app else ("BOLOS", _DASHBOARD_VERSION)
            )
            texts = b"".join(bytes((len(text),)) + text.encode() for text in (name, version))
            return b"\x01" + texts + b"\x01\x00" + OK
        if apdu[1:2] == b"\xa7":
            self.on_answer(OK)
            self.open_app(None)
            return None
        raise RefusalError(0x6A81 if isinstance(self._app, SolanaApp) else 0x6E00)

    def _application(self, apdu: bytes) -> Reply | None:
        if self._app is None:
            raise RefusalError(0x6E01 if apdu[:1] == b"\xe0" else 0x6E00)
        if self._review is None:
            return self._app.handle(apdu)
        review = self._review
        if self._app.ends_screen(apdu):
            self._review = None
        return self._app.handle_during(apdu, review)

    def _act(self, review: Review, act: Act) -> None:
        match act.press:
            case Press.APPROVE:
                self._press(approved=True, only=review)
            case Press.REJECT:
                self._press(approved=False, only=review)
            case Press.LATE:
                timer = threading.Timer(act.ms / 1000, self._press, (), {"approved": True, "only": review})
                timer.daemon = True
                timer.start()
            case Press.UNPLUG:
                self.unplug()
            case Press.LOCK:
                self.locked = True
            case Press.IGNORE:
                pass

    def _press(self, *, approved: bool, only: Review | None = None) -> bool:
        with self._lock:
            review = self._review
            if review is None or self.locked or (only is not None and review is not only):
                return False
            self._review = None
            if review.doomed:
                self.crash()
                return True
            answer = review.approved() + OK if approved else _REJECTED
            self.signed += approved
            if not review.swallowed:
                self.on_answer(answer)
            return True
