"""One Trezor, driven by one thread: connect, check the pins, ask. Never shows a request a second time.

After everything but a plain no of the device the connection is thrown away, and so is whatever still comes on
it: protocol v1 numbers nothing, a late signature looks like the answer to the next request.
"""

from collections.abc import Callable
from typing import TypeVar

from trezorlib import exceptions, messages
from trezorlib.client import AppManifest, PassphraseSetting
from trezorlib.protobuf import MessageType
from trezorlib.transport import Transport

from signer.adapters.device.owner import GivenUpError, Ticket
from signer.adapters.device.plain import plain
from signer.adapters.device.states import DeviceState
from signer.adapters.trezor_device import library
from signer.adapters.trezor_device.bounded_transport import BoundedTransport
from signer.adapters.trezor_device.credentials import read_credentials
from signer.adapters.trezor_device.device import TrezorDevice, TrezorKey
from signer.adapters.trezor_device.errors import (
    ASKS_TO_CONNECT,
    LOCKED_ON_DEVICE,
    LOCKED_ON_HOST,
    NOT_PAIRED,
    clean,
    ends_dialog,
    lost,
    retryable,
    translate,
)
from signer.adapters.trezor_device.request import Request
from signer.domain.accounts import address_of
from signer.domain.errors import BrokenError, PreconditionError
from signer.domain.reasons import FailReason

T = TypeVar("T")

MODEL_ONE = "1"
"""What Model One calls itself in its features."""

_NAMES = {MODEL_ONE: "Model One", "T": "Model T"}

_NO_WALLET_YET = (
    "the Trezor asks for its passphrase at the next signature: enter it on the device; until then nobody "
    "knows whether it holds the pinned key"
)

_CLEANUP_MS = 3_000
"""What the device has to answer a Cancel."""


class TrezorSession:
    """Blocking; only the owner's thread calls it. `state` and `detail` may be read by all."""

    def __init__(self, device: TrezorDevice, find: Callable[[], Transport]) -> None:
        self._device = device
        self._find = find
        self._transport: BoundedTransport | None = None
        self._client: library.Client | None = None
        self._wallet: library.Session | None = None
        self._request = Request(None, answer_ms=device.answer_ms)
        self._state = DeviceState.GONE
        self.detail = ""

    @property
    def state(self) -> DeviceState:
        """Cached; asking touches no device."""
        return self._state

    def drain(self, ms: int) -> None:
        """Nothing to do: a request that ends has drained its device or dropped it."""

    def close(self) -> None:
        """Forget the connection. Transports are open during a request only."""
        if self._transport is not None:
            self._transport.abandon()
        self._transport = self._client = self._wallet = None
        self._state = DeviceState.GONE

    def check(self, ticket: Ticket, key: TrezorKey) -> None:
        """Make sure that the device is there, unlocked, and holds the key. Shows nothing, not even a PIN."""
        request = Request(ticket, answer_ms=self._device.answer_ms)
        self._run(request, key, lambda _: None, attended=False)

    def sign(self, ticket: Ticket, key: TrezorKey, ask: Callable[[library.Session, Request], T]) -> T:
        """Check the pins, then `ask`, which verifies what comes. A retry is never a second prompt."""
        request = Request(ticket, answer_ms=self._device.answer_ms, approval_ms=self._device.approval_ms)

        def reviewed(wallet: library.Session) -> T:
            self._state = DeviceState.REVIEWING
            return ask(wallet, request)

        return self._run(request, key, reviewed, attended=True)

    def ask(self, ticket: Ticket, ask: Callable[[library.Session, Request], T]) -> T:
        """`ask` a device of which no address is pinned yet. It may show its PIN and passphrase screens."""
        request = Request(ticket, answer_ms=self._device.answer_ms, approval_ms=self._device.approval_ms)
        return self._run(request, None, lambda wallet: ask(wallet, request), attended=True)

    def _run(
        self, request: Request, key: TrezorKey | None, ask: Callable[[library.Session], T], *, attended: bool
    ) -> T:
        """At most two attempts, and the second only where the person has seen nothing."""
        fresh = self._wallet is None
        try:
            return self._attempt(request, key, ask, attended=attended)
        except GivenUpError:
            raise
        except Exception as error:  # supervision: the library raises what a bad answer makes of its parser
            if fresh or not retryable(error, request):
                raise translate(error, request) from error
        try:
            return self._attempt(request, key, ask, attended=attended)
        except GivenUpError:
            raise
        except Exception as error:  # supervision: as above
            raise translate(error, request) from error

    def _attempt(
        self, request: Request, key: TrezorKey | None, ask: Callable[[library.Session], T], *, attended: bool
    ) -> T:
        self._request = request
        request.begin()
        try:
            transport = self._transport = self._transport or self._new_transport()
            # Held open for the whole request: on USB no other program gets in between.
            with transport:
                return self._talk(transport, key, ask, request, attended=attended)
        except Exception as error:
            if not clean(error, request):
                self.close()
            raise
        finally:
            self._state = DeviceState.GONE if self._wallet is None else DeviceState.IDLE

    def _talk(
        self,
        transport: BoundedTransport,
        key: TrezorKey | None,
        ask: Callable[[library.Session], T],
        request: Request,
        *,
        attended: bool,
    ) -> T:
        try:
            client = self._client = self._client or self._connect(transport, attended=attended)
            if not attended:
                self._require_unlocked(client)
            wallet = self._wallet = self._wallet or self._open_wallet(client)
            self._remember(client.features)
            if key is not None:
                self._require_pinned(wallet, key)
            return ask(wallet)
        except Exception as error:
            if ends_dialog(error, request) and not self._end_dialog():
                # Where it did not even say that it took the request off its display, nobody knows its end.
                raise lost(request) from error
            raise

    def _new_transport(self) -> BoundedTransport:
        return BoundedTransport(self._find(), self._slice_s)

    def _slice_s(self) -> float:
        return self._request.slice_s()

    def _on_button(self, button: messages.ButtonRequest) -> None:
        self._request.on_button(button)

    def _on_host_pin(self, asked: messages.PinMatrixRequest) -> str:
        return self._request.on_host_pin(asked)

    def _connect(self, transport: BoundedTransport, *, attended: bool) -> library.Client:
        """The library's handshake throws away what a former host left behind."""
        credentials = read_credentials(self._device.credentials_file)
        app = AppManifest(
            app_name="airlock-signer",
            button_callback=self._on_button,
            pin_callback=self._on_host_pin,
            credentials=credentials,
        )
        client = library.get_client(app, transport)
        if attended and not client.is_connected():
            self._request.ask_pin()
            client.connect()
        if client.is_connected() and not client.pairing.is_paired():
            raise PreconditionError(FailReason.DEVICE_NOT_PAIRED, NOT_PAIRED)
        if not attended and library.will_ask_to_connect(client, credentials):
            raise PreconditionError(FailReason.DEVICE_LOCKED, ASKS_TO_CONNECT)
        return client

    def _open_wallet(self, client: library.Client) -> library.Session:
        on_device = self._device.passphrase_on_device
        wallet = client.get_session(PassphraseSetting.ON_DEVICE if on_device else "")
        pinned = self._device.fingerprint
        if pinned is not None and wallet.get_root_fingerprint() != pinned:
            found = wallet.get_root_fingerprint().hex()
            text = (
                f"the Trezor at {self._device.where} holds another seed or passphrase than the pinned one: "
                f"fingerprint {found}, pinned {pinned.hex()}; plug in the right one"
            )
            raise BrokenError(FailReason.BROKEN, text)
        return wallet

    def _require_unlocked(self, client: library.Client) -> None:
        """For work that may show nothing: no PIN screen, and none for the passphrase."""
        features = client.refresh_features()
        self._remember(features)
        if features.unlocked is False:
            by_host = features.model == MODEL_ONE
            raise PreconditionError(FailReason.DEVICE_LOCKED, LOCKED_ON_HOST if by_host else LOCKED_ON_DEVICE)
        if self._device.passphrase_on_device and self._wallet is None:
            raise PreconditionError(FailReason.DEVICE_LOCKED, _NO_WALLET_YET)

    def _remember(self, features: messages.Features) -> None:
        model = features.model or ""
        version = f"{features.major_version}.{features.minor_version}.{features.patch_version}"
        self.detail = f"Trezor {_NAMES.get(model, plain(model))}, firmware {version}"

    def _require_pinned(self, wallet: library.Session, key: TrezorKey) -> None:
        """Asked before each request: it also finds a wire on which something old is left."""
        wanted = address_of(key.account)
        if key.is_evm:
            found = library.ethereum_address(wallet, key.steps, show_display=False).lower()
        else:
            found = library.solana_address(wallet, key.steps, show_display=False)
        if found != wanted:
            text = (
                f"the Trezor at {self._device.where} has {found} at {key.path}, not the pinned {wanted}: it "
                "holds another seed or passphrase, or the path is wrong"
            )
            raise BrokenError(FailReason.BROKEN, text)

    def _end_dialog(self) -> bool:
        """Cancel, and destroy what comes until the device says that it did. False when it never says so."""
        self._state = DeviceState.DRAINING
        self._request = Request(None, answer_ms=_CLEANUP_MS)
        wallet = self._wallet
        try:
            if wallet is None:  # nothing can have been asked yet; the next handshake cleans up
                if self._client is not None:
                    library.cancel_opening(self._client)
                return True
            wallet.cancel()
            while not isinstance(_next(wallet), messages.Failure):
                pass
        except Exception:  # noqa: BLE001 - supervision: whatever ails the device now, it did not acknowledge
            return False
        return True


def _next(wallet: library.Session) -> MessageType | None:
    try:
        return wallet.read()
    except exceptions.ProtocolError:
        return None  # the rest of a message whose beginning was read before
