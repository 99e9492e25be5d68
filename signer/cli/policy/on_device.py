"""The device that signs a policy, as the command line names it. Lets go of it at the end in any case."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from signer.adapters.ledger_device.policy_signer import LedgerPolicySigner
from signer.adapters.ledger_device.session import Patience
from signer.adapters.trezor_device.device import TrezorDevice
from signer.adapters.trezor_device.policy_signer import TrezorPolicySigner
from signer.cli.command import Arguments
from signer.cli.devices.dialog import watch
from signer.cli.devices.which import chosen
from signer.domain.errors import ConfigurationError
from signer.ports.guardian import PolicySigner

_MS = 1_000


@asynccontextmanager
async def device_signer(arguments: Arguments) -> AsyncIterator[PolicySigner]:
    """The key at `--path` of the device; nothing is opened yet.

    Raises ConfigurationError for a device or path that cannot be, PreconditionError for a key that cannot
    sign policies.
    """
    path: str | None = arguments.path
    if path is None:
        raise ConfigurationError("--path: is missing; a device has many keys: m/44'/60'/0'/0/0 is the first")
    device, approval_ms = chosen(arguments).device, arguments.timeout_s * _MS
    signer: LedgerPolicySigner | TrezorPolicySigner
    if isinstance(device, TrezorDevice):
        signer = TrezorPolicySigner(replace(device, approval_ms=approval_ms), path, watch=watch)
    else:
        patience = Patience(approval_ms=approval_ms)
        signer = LedgerPolicySigner(device, path, log=_NoLog(), patience=patience, watch=watch)
    try:
        yield signer
    finally:
        await signer.aclose()


class _NoLog:
    def event(self, name: str, **fields: object) -> None:
        """Nobody listens: a command tells by what it prints and by its exit code."""
