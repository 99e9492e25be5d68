"""What an application on the device must be able to do for us, and which one is open. Knows no chain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NewType, TypeAlias, TypeVar

from typing_extensions import override

from signer.adapters.ledger_device.chunks import command
from signer.domain.accounts import AccountId, Address
from signer.domain.guardian import GuardianName

Version: TypeAlias = tuple[int, int, int]
Path = NewType("Path", bytes)
"""A derivation path as it goes over the wire."""

T = TypeVar("T")

DASHBOARD = "BOLOS"
WHICH_APPLICATION = command(0xB0, 0x01, 0, 0)
_FORMAT = 1

CONFIGURATION_LENGTHS = frozenset({4, 5, 7})
"""An application that takes a request to sign for a question answers its configuration, so long, and 9000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application, its questions and how its answers are read. The readers raise ValueError."""

    name: str
    minimum: Version
    """The version whose behaviour was measured. An older one is refused."""
    blind_signing_menu: str
    """Where a person switches blind signing on."""
    configuration: bytes
    blind_signing: Callable[[bytes], bool]
    """Reads the answer to `configuration`."""
    ask_address: Callable[[Path], bytes]
    address: Callable[[bytes], str]
    """Reads the answer to `ask_address`, and derives the address from the public key itself."""
    end_dialog: Callable[[Path], bytes] | None
    """A command that ends a dialog and shows none, where the application has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPlace:
    """Where a key is on the device, and the application that has it. Says nothing of which key it is."""

    path: Path
    application: Application


@dataclass(frozen=True, slots=True, kw_only=True)
class Key(KeyPlace):
    """A key that is pinned: by the account that it signs for, or as the guardian of the policy."""

    account: AccountId | GuardianName

    @property
    def address(self) -> Address:
        """What the device must have at the path."""
        return Address(self.account.rpartition(":")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Generic[T]):
    """One thing to be signed. The person confirms after the last of `commands`."""

    key: Key
    commands: Sequence[bytes]
    answer_bytes: int
    read: Callable[[bytes], T]
    """Make a signature of the answer; ValueError unless it is one by the pinned key over our own digest."""
    shown: str
    """What the person must find on the device, as `Tx hash 0x…`."""
    needs_blind_signing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What runs on the device."""

    name: str
    version: Version

    @override
    def __str__(self) -> str:
        version = ".".join(map(str, self.version))
        return f"dashboard {version}" if self.name == DASHBOARD else f"{self.name} {version}"


def read_running(data: bytes) -> Running:
    """Read the answer to WHICH_APPLICATION. Raises ValueError."""
    if data[:1] != bytes((_FORMAT,)):
        raise ValueError("not the name of an application")
    name, rest = _text(data[1:])
    text, _flags = _text(rest)
    return Running(name=name, version=_version(text))


def _text(data: bytes) -> tuple[str, bytes]:
    length = data[0] if data else 0
    if not 0 < length < len(data):
        raise ValueError("a text is cut short")
    text = data[1 : 1 + length].decode("ascii")
    if not text.isprintable():  # it will stand in messages, on a terminal
        raise ValueError("a text with control characters")
    return text, data[1 + length :]


def _version(text: str) -> Version:
    # "1.22.0-dev" and "2.1" exist; what follows the numbers does not count.
    numbers = [int(part) for part in text.partition("-")[0].split(".") if part.isdecimal()]
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return major, minor, patch
