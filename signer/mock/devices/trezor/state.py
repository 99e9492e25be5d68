"""What the double remembers: seed, PIN, sessions. Answers nothing; its workflows do."""

import secrets
from collections import OrderedDict
from collections.abc import Callable, Generator
from typing import TypeAlias

from trezorlib import messages
from trezorlib.protobuf import MessageType

from signer.mock.devices.seed import Seed
from signer.mock.devices.trezor.flavour import Flavour
from signer.mock.devices.trezor.person import Press

Answer: TypeAlias = Press | MessageType
Workflow: TypeAlias = Generator[MessageType, Answer, MessageType]
"""Yields what it asks (a screen, a PIN, more data), is sent the answer, returns the last message."""

Step: TypeAlias = Generator[MessageType, Answer, None]
"""A part of a workflow."""

Opened: TypeAlias = Generator[MessageType, Answer, Seed]
"""The part of a workflow that unlocks the seed."""

Shown: TypeAlias = tuple[str, str]
"""What a screen is about and what stands there. Empty where nobody knows the words."""

NOTHING: Shown = ("", "")

REMEMBERED_SESSIONS = 10
"""Sessions that a device caches; the oldest is evicted."""

WIPES_AFTER = 16
"""Wrong PINs in a row."""


class RefusalError(Exception):
    """Ends a workflow with a Failure message."""

    def __init__(self, code: messages.FailureType, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    def as_message(self) -> messages.Failure:
        """As it goes to the host."""
        return messages.Failure(code=self.code, message=self.text)


class DeviceState:
    """Seed, PIN and session cache of one device.

    `passphrase` is what the person types on the device; None switches passphrases off. `sessions` maps an id
    to its passphrase, None until one is given. `code` is that of a pairing, while the display shows it.
    """

    def __init__(self, *, flavour: Flavour, mnemonic: str, pin: str | None, passphrase: str | None) -> None:
        self.flavour = flavour
        self.mnemonic = mnemonic
        self.pin = pin
        self.passphrase = passphrase
        self.unlocked = pin is None
        self.initialized = True
        self.sessions: OrderedDict[bytes, str | None] = OrderedDict()
        self.active: bytes | None = None
        self.code: str | None = None
        self.on_code: Callable[[str], None] = _unseen
        self.display: Shown = NOTHING
        self._wrong_pins = 0

    def lock(self) -> None:
        """As after ten idle minutes, or LockDevice. A device without a PIN has no lock."""
        self.unlocked = self.pin is None

    def restart(self) -> None:
        """Lose what lives in memory only."""
        self.sessions.clear()
        self.active = None
        self.lock()

    def activate(self, wanted: bytes | None) -> bytes:
        """Resume a session or begin one: an unknown id gets a new one, and the host sees it."""
        session = wanted if wanted is not None and wanted in self.sessions else secrets.token_bytes(32)
        passphrase = self.sessions.pop(session, "" if self.passphrase is None else None)
        self.remember(session, passphrase)
        self.active = session
        return session

    def remember(self, session: bytes, passphrase: str | None) -> None:
        """Keep a session; the oldest goes when there are too many."""
        self.sessions[session] = passphrase
        while len(self.sessions) > REMEMBERED_SESSIONS:
            self.sessions.popitem(last=False)

    def show_code(self, code: str | None) -> None:
        """Put the code of a pairing on the display, or take it off."""
        self.code = code
        if code is not None:
            self.on_code(code)

    def open_seed(self) -> Opened:
        """Unlock, ask for the passphrase once a session, and give the seed."""
        if not self.initialized:
            raise RefusalError(messages.FailureType.NotInitialized, "Device not initialized")
        if self.active is None or self.active not in self.sessions:
            raise RefusalError(messages.FailureType.InvalidSession, "Invalid session")
        yield from self.unlock()
        passphrase = self.sessions[self.active]
        if passphrase is None:
            passphrase = yield from self._passphrase()
            self.sessions[self.active] = passphrase
        return Seed(self.mnemonic, passphrase)

    def unlocking(self) -> Workflow:
        """Unlock, and nothing else."""
        yield from self.unlock()
        return messages.Success()

    def unlock(self) -> Step:
        """Ask for the PIN where it is needed: on the device (core) or through the host (Model One)."""
        if self.unlocked:
            return
        yield from self._pin_on_device() if self.flavour.core else self._pin_through_host()
        self.unlocked = True

    def _pin_on_device(self) -> Step:
        screen = messages.ButtonRequest(
            code=messages.ButtonRequestType.PinEntry, name="pin_device", pages=None
        )
        while (press := (yield screen)) is not Press.APPROVE:
            # A wrong PIN is asked again on the device; only leaving the screen ends the request.
            if press is not Press.WRONG_PIN:
                raise RefusalError(messages.FailureType.PinCancelled, "PIN entry cancelled")

    def _pin_through_host(self) -> Step:
        answer = yield messages.PinMatrixRequest(type=messages.PinMatrixRequestType.Current)
        if isinstance(answer, messages.PinMatrixAck) and answer.pin == self.pin:
            self._wrong_pins = 0
            return
        self._wrong_pins += 1
        if self._wrong_pins >= WIPES_AFTER:
            self.initialized = False
        raise RefusalError(messages.FailureType.PinInvalid, "PIN invalid")

    def _passphrase(self) -> Generator[MessageType, Answer, str]:
        answer = yield messages.PassphraseRequest()
        if isinstance(answer, messages.PassphraseAck) and not answer.on_device:
            return answer.passphrase or ""
        return (yield from self.typed_passphrase())

    def typed_passphrase(self) -> Generator[MessageType, Answer, str]:
        """What the person types on the device."""
        typed = yield messages.ButtonRequest(
            code=messages.ButtonRequestType.PassphraseEntry, name="passphrase_device", pages=None
        )
        if typed is not Press.APPROVE:
            raise RefusalError(messages.FailureType.ActionCancelled, "Cancelled")
        return self.passphrase or ""


def _unseen(_: str) -> None:
    """Nobody looks at the display."""


Handler: TypeAlias = Callable[[DeviceState, MessageType], MessageType | Workflow]
