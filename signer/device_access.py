"""The hardware wallets that the settings name: for the app and for commands. Opens none that is not named."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from signer.adapters.ledger_device.backend import LedgerBackend, LedgerKey, LedgerPlace
from signer.adapters.ledger_device.session import Patience
from signer.adapters.trezor_device.backend import TrezorBackend
from signer.adapters.trezor_device.device import TrezorDevice, TrezorKey
from signer.domain.accounts import AccountId
from signer.ports.device import DeviceStatus
from signer.ports.events import EventLog
from signer.ports.key_backend import KeyBackend, person_before
from signer.settings import LedgerSettings, Settings, TrezorSettings, refuse_redirected_devices

_MS = 1_000


@asynccontextmanager
async def device_backends(settings: Settings, log: EventLog) -> AsyncIterator[Mapping[AccountId, KeyBackend]]:
    """The backend of each account that is on a device; one for each device. Closed at the end.

    Raises ConfigurationError for a place or a path that cannot be, or an environment that redirects devices.
    """
    backends: dict[AccountId, KeyBackend] = {}
    async with AsyncExitStack() as stack:
        for device in settings.ledgers:
            refuse_redirected_devices()
            backend = _ledger(settings, device, log)
            stack.push_async_callback(backend.aclose)
            backends |= dict.fromkeys(await backend.accounts(), backend)
        for trezor in settings.trezors:
            refuse_redirected_devices()
            held = _trezor(settings, trezor)
            stack.push_async_callback(held.aclose)
            backends |= dict.fromkeys(await held.accounts(), held)
        yield backends


async def statuses(settings: Settings, log: EventLog) -> Mapping[AccountId, DeviceStatus]:
    """How each device is, for each of its accounts. Raises as `device_backends`; shows nothing on them."""
    async with device_backends(settings, log) as backends:
        looks = {
            account: attended.look(account)
            for account, backend in backends.items()
            if (attended := person_before(backend)) is not None
        }
        return dict(zip(looks, await asyncio.gather(*looks.values()), strict=True))


def ledger_place(device: LedgerSettings) -> LedgerPlace:
    """Which Ledger the settings mean."""
    return LedgerPlace(name=device.name, where=device.where, lock_file=device.lock_file)


def trezor_device(device: TrezorSettings) -> TrezorDevice:
    """Which Trezor the settings mean. Raises ConfigurationError for a place that cannot be."""
    return TrezorDevice(
        name=device.name,
        where=device.where,
        lock_file=device.lock_file,
        fingerprint=None if device.fingerprint is None else bytes.fromhex(device.fingerprint),
        allow_udp=device.allow_udp,
        passphrase_on_device=device.passphrase_on_device,
        credentials_file=device.credentials,
        approval_ms=device.approval_timeout_s * _MS,
    )


def _ledger(settings: Settings, device: LedgerSettings, log: EventLog) -> LedgerBackend:
    keys = [
        LedgerKey(account=each.account_id, path=each.ledger.path)
        for each in settings.accounts
        if each.ledger is not None and each.ledger.device == device.name
    ]
    patience = Patience(approval_ms=device.approval_timeout_s * _MS)
    return LedgerBackend(keys, ledger_place(device), log=log, patience=patience)


def _trezor(settings: Settings, device: TrezorSettings) -> TrezorBackend:
    keys = [
        TrezorKey(account=each.account_id, path=each.trezor.path)
        for each in settings.accounts
        if each.trezor is not None and each.trezor.device == device.name
    ]
    return TrezorBackend(trezor_device(device), keys)
