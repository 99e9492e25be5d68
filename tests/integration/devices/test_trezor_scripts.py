"""Random scripts of requests, presses, rejections, unplugs, timeouts, foreign programs and restarts.

200 over protocol v1, 40 over THP. At most one signature per request, each over its own digest, none that came
late; and the queue always drains.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from trezorlib import messages
from trezorlib.client import AppManifest
from trezorlib.exceptions import TrezorException
from trezorlib.thp.channel import Channel
from typing_extensions import override

from signer.adapters.device.states import DeviceState
from signer.adapters.trezor_device import library
from signer.adapters.trezor_device.bounded_transport import BoundedTransport
from signer.adapters.trezor_device.credentials import HostCredential, read_credentials
from signer.adapters.trezor_device.request import Request, TimeOverError
from signer.domain.errors import SignerError
from signer.domain.transactions import EvmSignature
from signer.mock.devices.trezor.flavour import MODEL_ONE, MODEL_T, SAFE_3, SAFE_7, Flavour
from signer.mock.devices.trezor.person import Decision, Press, Screen
from tests.integration.devices.trezor_rig import (
    APPROVE,
    IGNORE,
    KEYS,
    REJECT,
    UNPLUG,
    Rig,
    credential_for,
    rig,
)

SCRIPTS, SCRIPTS_OVER_THP, STEPS = 200, 40, 12
DECISIONS = st.sampled_from([APPROVE, APPROVE, APPROVE, REJECT, IGNORE, UNPLUG])


class AnyTrezor(RuleBasedStateMachine):
    deadline_ms = 15

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stack = AsyncExitStack()
        self.person: deque[Decision] = deque()
        self.nonce = 0
        self.signatures: dict[int, EvmSignature] = {}

    @rule(decisions=st.lists(DECISIONS, max_size=4), has_data=st.booleans())
    def sign(self, decisions: list[Decision], has_data: bool) -> None:
        self._sign_once(decisions, has_data=has_data)

    @rule(decisions=st.lists(DECISIONS, max_size=6), count=st.integers(2, 4))
    def sign_several_at_once(self, decisions: list[Decision], count: int) -> None:
        self.person = deque(decisions)
        nonces = range(self.nonce, self.nonce + count)
        self.nonce += count

        async def together() -> None:
            await asyncio.gather(*(self._try(nonce, has_data=True) for nonce in nonces))

        self.loop.run_until_complete(together())

    @rule(decisions=st.lists(DECISIONS, max_size=3), turns=st.integers(0, 6))
    def sign_and_leave(self, decisions: list[Decision], turns: int) -> None:
        self.person = deque(decisions)
        nonce, self.nonce = self.nonce, self.nonce + 1

        async def leave() -> None:
            signing = asyncio.create_task(self._try(nonce, has_data=False))
            for _ in range(turns):
                await asyncio.sleep(0)
            signing.cancel()
            await asyncio.wait([signing])
            # The worker ends the dialog on its own; the next in the queue waits for that.
            await self.rig.backend._owner.run(lambda _, __: None)

        self.loop.run_until_complete(leave())

    @rule(presses=st.lists(st.sampled_from([Press.APPROVE, Press.REJECT]), min_size=1, max_size=4))
    def late_presses(self, presses: list[Press]) -> None:
        for press in presses:
            self.rig.device.press(press)

    @rule()
    def unplug(self) -> None:
        self.rig.port.unplug()

    @rule()
    def plug(self) -> None:
        self.rig.port.plug()

    @rule()
    def restart(self) -> None:
        self.rig.port.restart()

    @rule()
    def evict_sessions(self) -> None:
        self.rig.device.evict_sessions()

    @rule(which=st.integers(0, 50))
    def stale_signature(self, which: int) -> None:
        """One of an earlier request, from nowhere."""
        if not self.signatures:
            return
        old = list(self.signatures.values())[which % len(self.signatures)]
        self.rig.device.send_unasked(
            messages.EthereumTxRequest(
                signature_v=old.y_parity,
                signature_r=old.r.to_bytes(32, "big"),
                signature_s=old.s.to_bytes(32, "big"),
            )
        )

    @rule(same_host=st.booleans())
    def foreign_program(self, same_host: bool) -> None:
        """Opens the device between our requests, and leaves a dialog there."""
        self.person = deque([IGNORE])
        if not self.rig.port.plugged:
            return
        transport = BoundedTransport(self.rig.port.find(), Request(None, answer_ms=20).slice_s)
        try:
            app = AppManifest(app_name="somebody else", credentials=self._credentials(same_host=same_host))
            wallet = library.get_client(app, transport).get_session("")
            library.ethereum_address(wallet, KEYS[0].steps, show_display=True)
        except (TimeOverError, TrezorException):
            return
        finally:
            transport.abandon()

    @invariant()
    def the_queue_is_empty_and_nobody_reviews(self) -> None:
        if hasattr(self, "rig"):
            assert self.rig.backend._owner.pending == 0
            assert self.rig.backend.state in {DeviceState.IDLE, DeviceState.GONE}

    @override
    def teardown(self) -> None:
        """Whatever happened, the next request of a person who says yes is signed, or the one after it.

        The first may find what a foreign program asked for our very address and never fetched: over protocol
        v1 it passes for the answer to our own question, and only the signature tells.
        """
        self.rig.port.plug()
        session = self.rig.backend._owner._session
        session._device = replace(session._device, approval_ms=20_000, answer_ms=1_000)
        for _ in range(2):
            self._sign_once([], has_data=True)
        assert self.nonce - 1 in self.signatures, "the device did not come back"
        self.loop.run_until_complete(self.stack.aclose())
        self.loop.close()

    def _open(self, flavour: Flavour, *, autoconnect: bool = True) -> None:
        opening = rig(
            person=self._decide, flavour=flavour, autoconnect=autoconnect,
            approval_ms=self.deadline_ms, answer_ms=self.deadline_ms,
        )  # fmt: skip
        self.rig: Rig = self.loop.run_until_complete(self.stack.enter_async_context(opening))

    def _credentials(self, *, same_host: bool) -> Sequence[HostCredential]:
        """Of a program on this computer, which takes our channel over, or on another one."""
        if self.rig.device.state.flavour.thp is None:
            return ()
        if same_host:
            return read_credentials(self.rig.backend._device.credentials_file)
        return (credential_for(self.rig.port.wire),)

    def _sign_once(self, decisions: list[Decision], *, has_data: bool) -> None:
        self.person = deque(decisions)
        nonce, self.nonce = self.nonce, self.nonce + 1
        self.loop.run_until_complete(self._try(nonce, has_data=has_data))

    async def _try(self, nonce: int, *, has_data: bool) -> None:
        """`Rig.sign` checks the signature over this very transaction."""
        asked = self.rig.device.received.count("EthereumSignTxEIP1559")
        try:
            signature = await self.rig.sign(nonce, data=bytes(68) if has_data else b"")
        except SignerError:
            return
        assert nonce not in self.signatures
        assert self.rig.device.received.count("EthereumSignTxEIP1559") > asked
        self.signatures[nonce] = signature

    def _decide(self, _: Screen) -> Decision:
        return self.person.popleft() if self.person else APPROVE


class V1Scripts(AnyTrezor):
    @initialize(flavour=st.sampled_from([MODEL_ONE, MODEL_T, SAFE_3]))
    def begin(self, flavour: Flavour) -> None:
        self._open(flavour)


class ThpScripts(AnyTrezor):
    """Also programs that take our channel over, and a device that asks who we are."""

    deadline_ms = 60

    @initialize(version=st.sampled_from([(2, 0), (2, 1)]), autoconnect=st.booleans())
    def begin(self, version: tuple[int, int], autoconnect: bool) -> None:
        Channel.BUSY_BACKOFF_TIME = 0.001
        self._open(replace(SAFE_7, thp=version), autoconnect=autoconnect)

    @override
    def teardown(self) -> None:
        super().teardown()
        Channel.BUSY_BACKOFF_TIME = _BACKOFF_S


_BACKOFF_S = Channel.BUSY_BACKOFF_TIME
TestTrezorScripts = V1Scripts.TestCase
TestTrezorScriptsOverThp = ThpScripts.TestCase
for tested, scripts in {TestTrezorScripts: SCRIPTS, TestTrezorScriptsOverThp: SCRIPTS_OVER_THP}.items():
    tested.settings = settings(
        max_examples=scripts,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
del tested
