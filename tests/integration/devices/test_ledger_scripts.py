"""Random scripts of requests, presses, rejections, unplugs, timeouts, foreign programs and restarts.

However they go: a request is shown to the person and signed at most once, a signature in use is its own,
and afterwards the queue drains and the next request works.
"""

import asyncio
import tempfile
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from typing_extensions import override

from signer.adapters.device.deadline import Deadline
from signer.adapters.ledger_device.backend import LedgerBackend, LedgerPlace
from signer.adapters.ledger_device.session import Patience
from signer.decode.evm.envelope import signing_hash
from signer.decode.evm.recovery import recover_address
from signer.domain.accounts import address_of
from signer.domain.errors import PreconditionError, SignerError
from signer.domain.reasons import FailReason
from signer.domain.transactions import EvmSignature
from signer.mock.devices.ledger.device import LedgerDevice
from signer.mock.devices.ledger.person import APPROVE, IGNORE, REJECT, Act, Press, always
from signer.mock.devices.ledger.server import LedgerServer
from tests.integration.devices.ledger_rig import EVM, KEYS, Events, only_the_double, transaction
from tests.integration.devices.ledger_wire import PlainClient

T = TypeVar("T")

# So short that waiting ends inside a script; every outcome of a wait is allowed, so load fails nothing.
IMPATIENT = Patience(approval_ms=30, answer_ms=60, listen_ms=2, drain_ms=60)
SCRIPTS = 200

_HABITS = (APPROVE, REJECT, IGNORE, Act(press=Press.LATE, ms=5), Act(press=Press.LATE, ms=50))
_FOREIGN = (
    "b001000000",
    "e006000000",
    "e002000015058000002c8000003c800000000000000000000000",
    "e008000017058000002c8000003c800000000000000000000000000000026869",
    "e055000000",
)


class Loop:
    """An event loop in a thread, for scripts that are not coroutines."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def start(self, work: Coroutine[None, None, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[None, None, T]) -> T:
        return self.start(work).result(60)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class LedgerScripts(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.loop = Loop()
        self.device = LedgerDevice(person=always(IGNORE))
        self.device.blind(on=True)
        self.server = self.stack.enter_context(LedgerServer(self.device))
        self.asked: dict[int, Future[EvmSignature]] = {}
        self.foreign: list[PlainClient] = []
        self.backend = self._opened()

    def _opened(self) -> LedgerBackend:
        place = LedgerPlace(name="one", where=f"tcp:{self.server.address}", lock_file=self.folder / "lock")
        return LedgerBackend(KEYS, place, log=Events(), patience=IMPATIENT)

    @rule(count=st.integers(1, 3), habit=st.sampled_from(_HABITS))
    def requests(self, count: int, habit: Act) -> None:
        self._ask(count, habit)

    def _ask(self, count: int, habit: Act) -> None:
        self.device.person = always(habit)
        for _ in range(count):
            nonce = len(self.asked)
            self.asked[nonce] = self.loop.start(self.backend.sign_evm(EVM, transaction(nonce)))
        for _ in range(50):
            if self.device.review is not None or all(each.done() for each in self.asked.values()):
                break
            self._wait(1)

    @rule(
        ms=st.sampled_from([0, 45]), gives_up=st.booleans(), then=st.sampled_from(["", "approve", "reject"])
    )
    def nobody_answers(self, ms: int, gives_up: bool, then: str) -> None:
        self._ask(2, IGNORE)
        if gives_up:
            self._give_up(0)
        self._wait(ms)
        if then:
            self.device.approve() if then == "approve" else self.device.reject()

    @rule()
    def all_is_well_again(self) -> None:
        self._end_foreign()
        self.device.plug()

    @rule()
    def press(self) -> None:
        self.device.approve()

    @rule()
    def reject(self) -> None:
        self.device.reject()

    @rule()
    def unplug(self) -> None:
        self.device.unplug()

    @rule(app=st.sampled_from(["Ethereum", "Ethereum", "Solana", None]), locked=st.booleans())
    def plug(self, app: str | None, locked: bool) -> None:
        self.device.plug(app=app, locked=locked)

    @rule()
    def drop(self) -> None:
        self.device.drop()

    @rule(locked=st.booleans())
    def lock(self, locked: bool) -> None:
        self.device.locked = locked

    @rule()
    def crash(self) -> None:
        self.device.crash()

    @rule(apdu=st.sampled_from(_FOREIGN))
    def a_foreign_program_speaks(self, apdu: str) -> None:
        try:
            client = PlainClient(self.server.port)
        except OSError:
            return  # unplugged
        self.foreign.append(client)
        try:
            client.send(bytes.fromhex(apdu))
        except OSError:
            return

    @rule()
    def the_foreign_programs_end(self) -> None:
        self._end_foreign()

    def _end_foreign(self) -> None:
        while self.foreign:
            self.foreign.pop().close()

    @rule(which=st.integers(0, 5))
    def a_caller_gives_up(self, which: int) -> None:
        self._give_up(which)

    def _give_up(self, which: int) -> None:
        if running := [each for each in self.asked.values() if not each.done()]:
            running[which % len(running)].cancel()

    @rule(ms=st.sampled_from([1, 10, 40]))
    def time_passes(self, ms: int) -> None:
        self._wait(ms)

    def _wait(self, ms: int) -> None:
        threading.Event().wait(ms / 1000)

    @rule()
    def the_signer_restarts(self) -> None:
        self.loop.run(self.backend.aclose())
        self.backend = self._opened()

    @invariant()
    def no_request_is_shown_or_signed_twice(self) -> None:
        if not hasattr(self, "device"):
            return
        shown = [line for review in self.device.reviews for line in review.screens if "Tx hash" in line]
        assert len(shown) == len(set(shown))

    @invariant()
    def a_signature_that_is_used_is_its_own(self) -> None:
        for nonce, future in getattr(self, "asked", {}).items():
            if future.done() and not future.cancelled():
                self._judge(nonce, future)

    def _judge(self, nonce: int, future: "Future[EvmSignature]") -> None:
        error = future.exception(0)
        if error is None:
            recovered = recover_address(signing_hash(transaction(nonce)), future.result(0))
            assert recovered == address_of(EVM)
        else:
            assert isinstance(error, SignerError), repr(error)  # also BrokenError: a foreign program garbles

    @override
    def teardown(self) -> None:
        if not hasattr(self, "stack"):
            return
        try:
            self._the_queue_drains()
        finally:
            self.loop.run(self.backend.aclose())
            self.loop.close()
            self._end_foreign()
            self.stack.close()

    def _the_queue_drains(self) -> None:
        self._end_foreign()
        self.device.person = always(APPROVE)
        self.device.plug()
        for future in self.asked.values():
            if not future.cancelled():
                future.exception(30)
        self.a_signature_that_is_used_is_its_own()
        self.no_request_is_shown_or_signed_twice()
        assert self.loop.run(_works_soon(self.backend, self.device))


async def _works_soon(backend: LedgerBackend, device: LedgerDevice) -> bool:
    # By the clock, not by tries: while an answer is still awaited a hundred refusals pass in a millisecond.
    patience = Deadline(30_000)
    nonce = 1_000
    while patience.left_ms():
        try:
            await backend.sign_evm(EVM, transaction(nonce))
        except SignerError as error:
            if isinstance(error, PreconditionError) and error.reason is FailReason.DEVICE_WRONG_APP:
                device.open_app("Ethereum")  # a foreign program doomed the last review: its press crashed it
            nonce += 1
            await asyncio.sleep(0.005)
            continue
        return True
    return False


LedgerScripts.TestCase.settings = settings(
    max_examples=SCRIPTS,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestLedgerScripts = only_the_double(LedgerScripts.TestCase)
