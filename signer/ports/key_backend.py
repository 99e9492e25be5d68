"""Keys as a port.

A backend signs whole transactions for pinned accounts; there is no way to sign a bare hash.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, runtime_checkable

from signer.domain.accounts import AccountId
from signer.domain.solana import SignedSolanaMessage
from signer.domain.transactions import EvmSignature, UnsignedEvmTransaction
from signer.ports.device import DeviceStatus, Screen, Watch


class KeyBackend(Protocol):
    """Holds the keys of some accounts.

    Every method raises UnavailableError when the backend is out of reach (nothing was signed),
    PreconditionError when a person has to act first, and BrokenError when it holds another key than the
    pinned account. The caller verifies each signature over its own digest before using it.
    """

    @property
    def name(self) -> str:
        """`dev`, `vault`, `ledger` or `trezor`."""
        ...

    async def accounts(self) -> Sequence[AccountId]:
        """Accounts that this backend holds a key for, by what the keys themselves say."""
        ...

    async def check(self, account: AccountId) -> None:
        """Make sure that the key of `account` is there and is the pinned one. Signs nothing."""
        ...

    async def adopt(self, account: AccountId) -> None:
        """Begin to hold the key of an account that the settings do not name: the successor in a rotation.

        The backend finds it by its own convention (Vault: the envelope of that account; dev: a public test
        account) and checks it as `check` does. Doing it again changes nothing.
        """
        ...

    async def sign_evm(self, account: AccountId, transaction: UnsignedEvmTransaction) -> EvmSignature:
        """Sign an EIP-1559 transaction. Low-s, y parity 0 or 1."""
        ...

    async def sign_solana(self, account: AccountId, message: bytes) -> bytes:
        """Sign a serialized v0 message with ed25519; 64 bytes."""
        ...


_ON_A_DEVICE = frozenset({"ledger", "trezor"})


@runtime_checkable
class AttendedBackend(KeyBackend, Protocol):
    """A backend that signs only when a person confirms on a device.

    Its signing methods also raise RejectedError. When the call is cancelled, the person's dialog is ended
    where the wire allows it; a signature that comes later than its call is destroyed.
    """

    @property
    def device(self) -> str:
        """Name of the device in the settings."""
        ...

    @property
    def approval_timeout_ms(self) -> int:
        """How long a person may take for one request."""
        ...

    def attended(self, watch: Watch) -> KeyBackend:
        """The same backend, telling `watch` how far each of its signatures is."""
        ...

    def screens(self, account: AccountId, transaction: UnsignedEvmTransaction) -> tuple[Screen, ...]:
        """What the device will show for this transaction, in its order and words. Asks nobody."""
        ...

    async def look(self, account: AccountId) -> DeviceStatus:
        """How the device is now, as a request of this account would find it.

        Shows nothing to the person (no PIN screen either), never waits behind one, raises nothing.
        """
        ...

    async def sign_solana_at_turn(
        self, account: AccountId, make: Callable[[], Awaitable[bytes]], watch: Watch
    ) -> SignedSolanaMessage:
        """`sign_solana` of the message that `make` makes when its turn has come, just before it is shown.

        `make` is called once the device is there, unlocked and has the pinned key; again only where the first
        message was not shown. Nothing is shown when it raises (its error ends this call) or takes too long
        (UnavailableError).
        """
        ...


def person_before(backend: KeyBackend) -> AttendedBackend | None:
    """The backend again, when a person confirms what it signs; None for a key that signs by itself.

    Raises TypeError for a device that lacks a part of AttendedBackend: it must not pass for such a key.
    """
    if isinstance(backend, AttendedBackend):
        return backend
    if backend.name in _ON_A_DEVICE or hasattr(backend, "attended"):
        raise TypeError(f"the {backend.name} backend {type(backend).__name__} is no whole AttendedBackend")
    return None
