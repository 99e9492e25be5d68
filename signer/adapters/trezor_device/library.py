"""The calls of the library `trezor` that we use, with types. Decides nothing.

The library's decorators hide the types of what they wrap; here they are named once. Every call is blocking
and may be made from one thread only: the library has no lock.
"""

from collections.abc import Sequence
from typing import Protocol, TypeAlias, cast

from trezorlib import client, ethereum, messages, solana
from trezorlib.protobuf import MessageType
from trezorlib.thp.channel import Channel, PairingState
from trezorlib.thp.client import TrezorClientThp
from trezorlib.thp.credentials import find_credential
from trezorlib.thp.pairing import ControllerLifecycle
from trezorlib.transport import Transport

from signer.adapters.trezor_device.credentials import HostCredential

Path: TypeAlias = Sequence[int]
"""Derivation path; hardened steps have 2**31 added."""


class Pairing(Protocol):
    """Whether the device trusts this computer (THP); always so in protocol v1."""

    def is_paired(self) -> bool:
        """False until somebody paired them."""
        ...


class Session(Protocol):
    """A wallet that is open on the device: seed and passphrase."""

    def get_root_fingerprint(self) -> bytes:
        """4 bytes that name the seed and its passphrase; remembered from when the session was opened."""
        ...

    def cancel(self) -> None:
        """Write Cancel; its answer stays to be read."""
        ...

    def read(self) -> MessageType:
        """Read one message, whatever it is."""
        ...


class Client(Protocol):
    """A connection to a device, as protocol v1 and THP have it."""

    @property
    def features(self) -> messages.Features:
        """What the device said of itself last."""
        ...

    @property
    def pairing(self) -> Pairing:
        """Whether it trusts this computer."""
        ...

    def is_connected(self) -> bool:
        """False where a locked THP device did not let us open a channel."""
        ...

    def connect(self) -> None:
        """Open the channel; a locked THP device asks for its PIN and tells nobody."""
        ...

    def refresh_features(self) -> messages.Features:
        """Ask again what it says of itself."""
        ...

    def get_session(self, passphrase: str | client.PassphraseSetting) -> Session:
        """Open a wallet; asks for PIN and passphrase where they are needed."""
        ...

    def cancel(self) -> None:
        """Write Cancel; its answer stays to be read."""
        ...


class _GetClient(Protocol):
    def __call__(self, app: client.AppManifest, transport: Transport) -> Client: ...


class _EthereumAddress(Protocol):
    def __call__(self, session: Session, n: Path, *, show_display: bool) -> str: ...


class _SignLegacy(Protocol):
    def __call__(
        self, session: Session, n: Path, *, nonce: int, gas_price: int, gas_limit: int, to: str, value: int,
        data: bytes, chain_id: int,
    ) -> tuple[int, bytes, bytes]: ...  # fmt: skip


class _SignEip1559(Protocol):
    def __call__(
        self, session: Session, n: Path, *, nonce: int, gas_limit: int, to: str, value: int, data: bytes,
        chain_id: int, max_gas_fee: int, max_priority_fee: int,
        access_list: list[messages.EthereumAccessList] | None = None,
    ) -> tuple[int, bytes, bytes]: ...  # fmt: skip


class _SignMessage(Protocol):
    def __call__(self, session: Session, n: Path, message: bytes) -> messages.EthereumMessageSignature: ...


class _SolanaAddress(Protocol):
    def __call__(self, session: Session, address_n: Path, *, show_display: bool) -> str: ...


class _SignSolana(Protocol):
    def __call__(
        self, session: Session, address_n: Path, serialized_tx: bytes, additional_info: None
    ) -> bytes: ...


# The library repeats what is not acknowledged 20 times and doubles its pause each time: it would sleep for
# 29 hours, and hear neither a deadline nor a caller who leaves. Five times are 3 seconds.
Channel.BUSY_RETRIES = 5

get_client = cast(_GetClient, client.get_client)
ethereum_address = cast(_EthereumAddress, ethereum.get_address)
sign_legacy = cast(_SignLegacy, ethereum.sign_tx)
sign_eip1559 = cast(_SignEip1559, ethereum.sign_tx_eip1559)
sign_message = cast(_SignMessage, ethereum.sign_message)
solana_address = cast(_SolanaAddress, solana.get_address)
sign_solana = cast(_SignSolana, solana.sign_tx)


def cancel_opening(client: Client) -> None:
    """Write Cancel where no wallet is open yet. Its answer stays to be read.

    While a THP device decides about this computer, the client's own `cancel` would ask it again instead.
    """
    if not isinstance(client, TrezorClientThp) or client.pairing.state is ControllerLifecycle.FINISHED:
        client.cancel()
    elif client.is_connected():
        client.pairing.session.cancel()


def will_ask_to_connect(client: Client, credentials: Sequence[HostCredential]) -> bool:
    """Whether the next word makes a THP device ask its person if this computer may connect.

    It does once after its restart, unless it was told never to.
    """
    if not isinstance(client, TrezorClientThp) or client.pairing.state is ControllerLifecycle.FINISHED:
        return False
    keys = client.channel.trezor_public_keys
    used = None if keys is None else find_credential(credentials, keys)
    trusted = isinstance(used, HostCredential) and used.autoconnect
    return client.channel.pairing_state is PairingState.PAIRED and not trusted
