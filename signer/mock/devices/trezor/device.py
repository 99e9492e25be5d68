"""The double itself: one message in, any number out, and a person who presses. Knows no transport.

What comes before the messages (packets, channels, trust) is the work of a wire: protocol v1 or THP.

It copies what real firmware does, its hazards included: core firmware ends a workflow in silence when another
message comes, completes one whose host went away, and the reply waits for whoever reads next.
"""

import threading
from collections.abc import Callable, Mapping
from typing import cast

from trezorlib import messages
from trezorlib.protobuf import MessageType

from signer.mock.devices.seed import Seed
from signer.mock.devices.trezor import ethereum, management, solana
from signer.mock.devices.trezor.flavour import MODEL_T, Flavour
from signer.mock.devices.trezor.person import Decision, Person, Press, Screen, approving
from signer.mock.devices.trezor.state import (
    NOTHING,
    Answer,
    DeviceState,
    Handler,
    RefusalError,
    Shown,
    Workflow,
)
from signer.mock.devices.trezor.thp import pairing, sessions

_HANDLERS: Mapping[type[MessageType], Handler] = {
    messages.Initialize: cast(Handler, management.initialize),
    messages.GetFeatures: cast(Handler, management.get_features),
    messages.Cancel: cast(Handler, management.cancel),
    messages.Ping: cast(Handler, management.ping),
    messages.EndSession: cast(Handler, management.end_session),
    messages.LockDevice: cast(Handler, management.lock_device),
    messages.ApplyFlags: cast(Handler, management.apply_flags),
    messages.GetPublicKey: cast(Handler, management.get_public_key),
    messages.EthereumGetAddress: cast(Handler, ethereum.get_address),
    messages.EthereumSignTx: cast(Handler, ethereum.sign_tx),
    messages.EthereumSignTxEIP1559: cast(Handler, ethereum.sign_tx_eip1559),
    messages.EthereumSignMessage: cast(Handler, ethereum.sign_message),
    messages.SolanaGetPublicKey: cast(Handler, solana.get_public_key),
    messages.SolanaGetAddress: cast(Handler, solana.get_address),
    messages.SolanaSignTx: cast(Handler, solana.sign_tx),
}
"""Each handler takes its own kind of message, which the key names."""

_OVER_THP: Mapping[type[MessageType], Handler] = {
    **{kind: handler for kind, handler in _HANDLERS.items() if kind is not messages.Initialize},
    messages.ThpCreateNewSession: cast(Handler, sessions.create_session),
}

_CORE_ONLY = frozenset({messages.SolanaGetPublicKey, messages.SolanaGetAddress, messages.SolanaSignTx})

_ANSWERS: Mapping[type[MessageType], type[MessageType] | tuple[type[MessageType], ...]] = {
    messages.ButtonRequest: messages.ButtonAck,
    messages.PinMatrixRequest: messages.PinMatrixAck,
    messages.PassphraseRequest: messages.PassphraseAck,
    messages.EthereumTxRequest: messages.EthereumTxAck,
    **pairing.ANSWERS,
}
"""What the host may say to what the device asks."""

_BREAKS_MODEL_ONE_DIALOG = (messages.Cancel, messages.Initialize)


class TrezorDevice:
    """One device. `on_reply` is told each message that it sends; a transport sets it.

    All methods may be called from any thread.
    """

    def __init__(
        self,
        *,
        mnemonic: str,
        flavour: Flavour = MODEL_T,
        person: Person = approving,
        pin: str | None = None,
        passphrase: str | None = None,
    ) -> None:
        self.state = DeviceState(flavour=flavour, mnemonic=mnemonic, pin=pin, passphrase=passphrase)
        self.person = person
        self.silent = False
        self.received: list[str] = []
        self.shown: list[Shown] = []
        """Every screen that was ever on the display, as far as its fields are known."""
        self.on_reply: Callable[[MessageType], None] = _nowhere
        self.on_unplug: Callable[[], None] = _nothing
        self.on_forget: Callable[[], None] = _nothing
        self.mutex = threading.RLock()
        self._request = ""
        self._workflow: Workflow | None = None
        self._asked: MessageType | None = None
        self._acknowledged = False
        self._screens = 0

    def receive(self, message: MessageType) -> None:
        """Take one message of the host."""
        with self.mutex:
            self.received.append(type(message).__name__)
            if not self.silent:
                self._take(message)

    def begin(self, name: str, workflow: Workflow) -> None:
        """Run a workflow that a wire has made of a message of its own."""
        with self.mutex:
            self.received.append(name)
            self._end_workflow()
            self._request, self._screens = name, 0
            self._workflow = workflow
            self._resume(None)

    @property
    def busy(self) -> bool:
        """A workflow waits for its person or its host."""
        return self._workflow is not None

    def awaits(self, message: MessageType) -> bool:
        """Whether it is what the workflow waits for from its host."""
        return self._asked is not None and isinstance(message, _ANSWERS.get(type(self._asked), ()))

    def preempt(self) -> None:
        """End the workflow in silence: somebody else wants the device."""
        with self.mutex:
            self._end_workflow()

    def look(self) -> None:
        """The person looks at a screen that no host knows of."""
        with self.mutex:
            if isinstance(self._asked, messages.ButtonRequest):
                self._consult(self._asked)

    def press(self, press: Press) -> bool:
        """A press out of the blue, also after the host has left. Says whether a screen was there to press on.

        Model One takes a press only after the host's ButtonAck; core does not wait for it.
        """
        with self.mutex:
            listens = self.state.flavour.core or self._acknowledged
            leaves = press is Press.REJECT and isinstance(self._asked, messages.ThpCodeEntryCpaceTrezor)
            if not (leaves or (isinstance(self._asked, messages.ButtonRequest) and listens)):
                return False
            self._apply(press)
            return True

    def send_unasked(self, message: MessageType) -> None:
        """Put a message before the host that it did not ask for: a stale reply."""
        with self.mutex:
            self.on_reply(message)

    def root_fingerprint(self) -> bytes:
        """Names the seed without a passphrase; the settings pin it."""
        return Seed(self.state.mnemonic).root_fingerprint()

    def evict_sessions(self) -> None:
        """As ten sessions of other programs would."""
        with self.mutex:
            self.state.sessions.clear()
            self.on_forget()

    def lock(self) -> None:
        """As after ten idle minutes."""
        with self.mutex:
            self.state.lock()

    def restart(self) -> None:
        """Lose power and come back. Its transport drops what was on the way."""
        with self.mutex:
            self._end_workflow()
            self.state.restart()
            self.on_forget()

    def _take(self, message: MessageType) -> None:
        asked = self._asked
        if isinstance(asked, messages.ButtonRequest) and isinstance(message, messages.ButtonAck):
            self._acknowledged = True
            self._consult(asked)
        elif self.awaits(message):
            self._resume(message)
        elif asked is None or self._ends_dialog(asked, message):
            self._end_workflow()
            self._begin(message)

    def _ends_dialog(self, asked: MessageType, message: MessageType) -> bool:
        """Model One swallows all but Cancel and Initialize while it shows something: the host hangs."""
        showing = not isinstance(asked, messages.EthereumTxRequest)
        swallows = showing and not self.state.flavour.core
        return not swallows or isinstance(message, _BREAKS_MODEL_ONE_DIALOG)

    def _begin(self, message: MessageType) -> None:
        handlers = _HANDLERS if self.state.flavour.thp is None else _OVER_THP
        handler = handlers.get(type(message))
        unknown = handler is None or (type(message) in _CORE_ONLY and not self.state.flavour.core)
        if handler is None or unknown:
            code = messages.FailureType.UnexpectedMessage
            self.on_reply(messages.Failure(code=code, message="Unknown message"))
            return
        self._request, self._screens = type(message).__name__, 0
        try:
            begun = handler(self.state, message)
        except RefusalError as refusal:
            self.on_reply(refusal.as_message())
            return
        if isinstance(begun, MessageType):
            self.on_reply(begun)
        else:
            self._workflow = begun
            self._resume(None)

    def _resume(self, answer: Answer | None) -> None:
        workflow = self._workflow
        if workflow is None:
            return
        self._asked = None
        try:
            asked = next(workflow) if answer is None else workflow.send(answer)
        except StopIteration as end:
            self._workflow = None
            self.on_reply(end.value)
        except RefusalError as refusal:
            self._workflow = None
            self.on_reply(refusal.as_message())
        else:
            self._asked, self._acknowledged = asked, False
            if isinstance(asked, messages.ButtonRequest):
                self._screens += 1
                self.shown.append(self.state.display)
                self.state.display = NOTHING
            self.on_reply(asked)

    def _end_workflow(self) -> None:
        if self._workflow is not None:
            self._workflow.close()
        self._workflow = self._asked = None

    def _consult(self, asked: messages.ButtonRequest) -> None:
        shown = self.shown[-1] if self.shown else NOTHING
        screen = Screen(request=self._request, name=asked.name, number=self._screens, shown=shown)
        decision = self.person(screen)
        if decision.after_s > 0:
            timer = threading.Timer(decision.after_s, self._press_later, (asked, decision))
            timer.daemon = True
            timer.start()
        else:
            self._apply(decision.press)

    def _press_later(self, asked: MessageType, decision: Decision) -> None:
        with self.mutex:
            if self._asked is asked:
                self._apply(decision.press)

    def _apply(self, press: Press) -> None:
        match press:
            case Press.IGNORE:
                return
            case Press.UNPLUG:
                self.restart()
                self.on_unplug()
            case _:
                self._resume(press)


def _nowhere(_: MessageType) -> None:
    """No transport is attached."""


def _nothing() -> None:
    """No cable is attached."""
