"""Which device a command means: one of the settings by its name, or one by where it is. Has no default."""

import argparse
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from signer.adapters.device.address_reader import AddressReader
from signer.adapters.ledger_device.address_reader import LedgerAddressReader
from signer.adapters.ledger_device.backend import LedgerPlace
from signer.adapters.ledger_device.session import Patience
from signer.adapters.trezor_device.address_reader import TrezorAddressReader
from signer.adapters.trezor_device.device import TrezorDevice
from signer.cli.command import Arguments
from signer.device_access import ledger_place, trezor_device
from signer.domain.errors import ConfigurationError
from signer.settings import Settings, load, refuse_redirected_devices

Kind = Literal["ledger", "trezor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A device. `known` is its name in the settings, None for one that they do not have (yet)."""

    kind: Kind
    device: LedgerPlace | TrezorDevice
    known: str | None = None

    @property
    def where(self) -> str:
        """As the settings have it."""
        return self.device.where


def add_which(parser: argparse.ArgumentParser, *, by_name: bool = True) -> None:
    """Add the options: NAME, --ledger or --trezor, and what belongs to them."""
    which = parser.add_mutually_exclusive_group(required=True)
    if by_name:
        which.add_argument("name", nargs="?", metavar="NAME", help="of a [[ledgers]] or [[trezors]] table")
    add_places(which)
    add_details(parser)


def add_places(group: "argparse._MutuallyExclusiveGroup") -> None:
    """Add --ledger and --trezor to a group of which one option is needed."""
    group.add_argument("--ledger", metavar="WHERE", help="serial:…, path:… or tcp:127.0.0.1:PORT")
    group.add_argument("--trezor", metavar="WHERE", help="serial:…, webusb:… or udp:127.0.0.1:PORT")


def add_details(parser: argparse.ArgumentParser) -> None:
    """Add what belongs to a device."""
    parser.add_argument(
        "--settings", metavar="FILE", type=Path, help="signer.toml, which knows names and locks"
    )
    parser.add_argument("--lock-file", metavar="FILE", type=Path, help="of a device that --settings has not")
    parser.add_argument("--allow-udp", action="store_true", help="an emulator of a Trezor is meant")
    parser.add_argument(
        "--passphrase-on-device", action="store_true", help="the wallet of a passphrase, typed on the Trezor"
    )


def chosen(arguments: Arguments) -> Chosen:
    """The device that the arguments name.

    Raises ConfigurationError for one that cannot be, or an environment that redirects devices.
    """
    refuse_redirected_devices()
    settings = None if arguments.settings is None else load(arguments.settings)
    if (name := getattr(arguments, "name", None)) is not None:
        return _named(name, settings)
    if arguments.ledger is not None:
        return _ledger(arguments, settings)
    return _trezor(arguments, settings)


@asynccontextmanager
async def reader_of(which: Chosen) -> AsyncIterator[AddressReader]:
    """What reads addresses of the device; lets go of it at the end."""
    device = which.device
    reader: AddressReader
    if isinstance(device, LedgerPlace):
        reader = LedgerAddressReader(device, log=_NoLog(), patience=Patience())
    else:
        reader = TrezorAddressReader(device)
    try:
        yield reader
    finally:
        await reader.aclose()


def _named(name: str, settings: Settings | None) -> Chosen:
    if settings is None:
        raise ConfigurationError(f"{name}: a name is one of the settings: give --settings signer.toml, too")
    for ledger in settings.ledgers:
        if ledger.name == name:
            return Chosen(kind="ledger", device=ledger_place(ledger), known=name)
    for trezor in settings.trezors:
        if trezor.name == name:
            return Chosen(kind="trezor", device=trezor_device(trezor), known=name)
    names = [*(each.name for each in settings.ledgers), *(each.name for each in settings.trezors)]
    text = f"{name}: no device of the settings has this name; they have {', '.join(names) or 'none'}"
    raise ConfigurationError(text)


def _ledger(arguments: Arguments, settings: Settings | None) -> Chosen:
    where: str = arguments.ledger
    for each in settings.ledgers if settings is not None else ():
        if each.where == where:
            return Chosen(kind="ledger", device=ledger_place(each), known=each.name)
    place = LedgerPlace(name=f"the Ledger at {where}", where=where, lock_file=_lock_file(arguments, where))
    return Chosen(kind="ledger", device=place)


def _trezor(arguments: Arguments, settings: Settings | None) -> Chosen:
    where: str = arguments.trezor
    for each in settings.trezors if settings is not None else ():
        if each.where == where:
            return Chosen(kind="trezor", device=trezor_device(each), known=each.name)
    device = TrezorDevice(
        where=where,
        lock_file=_lock_file(arguments, where),
        allow_udp=arguments.allow_udp,
        passphrase_on_device=arguments.passphrase_on_device,
        credentials_file=getattr(arguments, "credentials", None),
    )
    return Chosen(kind="trezor", device=device)


def _lock_file(arguments: Arguments, where: str) -> Path:
    given: Path | None = arguments.lock_file
    if given is not None:
        return given
    # Of no use against a signer whose settings name another file, but against a second command like this one.
    digest = hashlib.sha256(where.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"airlock-device-{digest}.lock"


class _NoLog:
    def event(self, name: str, **fields: object) -> None:
        """Nobody listens: a command tells by what it prints and by its exit code."""
