"""Which device and which of its keys, as the operator pins them. Refuses a place that is not exactly one.

Values only. Where a device is: `webusb:BUS:PORT…` (a USB socket), `serial:…` (one device in any socket) or
`udp:HOST:PORT` (an emulator; loopback, and only when the settings say so). Never the first that is found.
"""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from signer.domain.accounts import AccountId, chain_of, is_evm
from signer.domain.errors import ConfigurationError

HARDENED = 2**31

_USB_PATH = re.compile(r"webusb:[0-9]{3}(:[0-9]{1,3})+")
_SERIAL = re.compile(r"serial:[0-9A-Za-z]{1,64}")
_UDP = re.compile(r"udp:([0-9.]{7,15}):([0-9]{1,5})")
_STEP = re.compile(r"(0|[1-9][0-9]{0,9})(['h]?)")
_PORT_MAX = 65_535
_FINGERPRINT_BYTES = 4
_LONGEST_PATH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TrezorDevice:
    """One device. `fingerprint`: 4 bytes of the root key, which name seed and passphrase together.

    `approval_ms` is what a person has for one signature, `answer_ms` what the device has for everything else.
    """

    where: str
    lock_file: Path
    name: str = ""
    fingerprint: bytes | None = None
    allow_udp: bool = False
    passphrase_on_device: bool = False
    credentials_file: Path | None = None
    approval_ms: int = 90_000
    answer_ms: int = 20_000

    def __post_init__(self) -> None:
        """Raises ConfigurationError naming the value and what is allowed."""
        require_place(self.where, allow_udp=self.allow_udp)
        if self.fingerprint is not None and len(self.fingerprint) != _FINGERPRINT_BYTES:
            raise ConfigurationError(f"trezor fingerprint has {len(self.fingerprint)} bytes: 4 are allowed")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrezorKey:
    """A pinned account and the path of its key: `m/44'/60'/0'/0/0`, `m/44'/501'/0'/0'`."""

    account: AccountId
    path: str

    @property
    def is_evm(self) -> bool:
        """Ethereum, or else Solana."""
        return is_evm(chain_of(self.account))

    @property
    def steps(self) -> list[int]:
        """The path as the device takes it. Raises ConfigurationError naming the path and what is allowed."""
        return steps_of(self.path)


def steps_of(path: str) -> list[int]:
    """A path as the device takes it. Raises ConfigurationError naming the path and what is allowed."""
    head, *names = path.split("/")
    steps = [_STEP.fullmatch(name) for name in names]
    if head != "m" or not 0 < len(steps) <= _LONGEST_PATH:
        raise ConfigurationError(_bad_path(path))
    return [_step(step, path) for step in steps]


def require_place(where: str, *, allow_udp: bool) -> None:
    """Raise ConfigurationError unless `where` names one device in an allowed way."""
    udp = _UDP.fullmatch(where)
    if udp is None:
        if not (_USB_PATH.fullmatch(where) or _SERIAL.fullmatch(where)):
            allowed = "webusb:001:2, serial:… or (allow_udp) udp:127.0.0.1:21324 are allowed"
            raise ConfigurationError(f"{where[:80]!r} names no Trezor: {allowed}")
        return
    if not allow_udp:
        text = f"{where}: an emulator is no hardware; allow_udp must say that it is meant"
        raise ConfigurationError(text)
    try:
        loopback = ipaddress.IPv4Address(udp[1]).is_loopback
    except ValueError:
        loopback = False
    if not loopback or not 0 < int(udp[2]) <= _PORT_MAX:
        raise ConfigurationError(f"{where}: udp is allowed on loopback only (127.0.0.1, port 1 to 65535)")


def _step(match: re.Match[str] | None, path: str) -> int:
    if match is None or int(match[1]) >= HARDENED:
        raise ConfigurationError(_bad_path(path))
    return int(match[1]) + (HARDENED if match[2] else 0)


def _bad_path(path: str) -> str:
    return f"{path[:80]!r} is not a derivation path: for example m/44'/60'/0'/0/0 is allowed"
