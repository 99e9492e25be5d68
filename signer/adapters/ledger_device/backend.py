"""The `ledger` key backend: one device, its accounts, and a person who confirms. Keeps no key."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

from typing_extensions import override

from signer.adapters.device.look import Looker
from signer.adapters.device.owner import DeviceOwner, Ticket
from signer.adapters.device.states import DeviceState
from signer.adapters.ledger_device import ethereum, solana
from signer.adapters.ledger_device.application import Key, Request
from signer.adapters.ledger_device.application import Path as DevicePath
from signer.adapters.ledger_device.ethereum import ETHEREUM
from signer.adapters.ledger_device.look import require_ready
from signer.adapters.ledger_device.paths import application_of, encode_path
from signer.adapters.ledger_device.places import opener
from signer.adapters.ledger_device.screens import screens_of
from signer.adapters.ledger_device.session import LedgerSession, Patience
from signer.domain.accounts import AccountId, address_of, chain_of, evm_chain_id
from signer.domain.errors import BrokenError, PreconditionError
from signer.domain.reasons import FailReason
from signer.domain.solana import SignedSolanaMessage
from signer.domain.transactions import EvmSignature, UnsignedEvmTransaction
from signer.ports.device import DeviceStatus, Screen, Watch
from signer.ports.events import EventLog

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerKey:
    """A pinned account and its derivation path, as `m/44'/60'/0'/0/0`."""

    account: AccountId
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPlace:
    """Which device: `name` is how messages call it; `where` as `signer.adapters.ledger_device.places` has it.

    `lock_file` is the same for every process that might use the device.
    """

    name: str
    where: str
    lock_file: Path


class LedgerBackend:
    """Signs what a person confirms. Two accounts of two chains need two applications, one open at a time.

    Close it with `aclose`. Opens the device at the first request.
    """

    name = "ledger"

    def __init__(
        self,
        keys: Iterable[LedgerKey],
        device: LedgerPlace,
        *,
        log: EventLog,
        patience: Patience | None = None,
    ) -> None:
        """Raises ConfigurationError for a path or a place that cannot be."""
        self._keys: Mapping[AccountId, Key] = {each.account: _key(each) for each in keys}
        self._place = device
        self._patience = patience or Patience()
        session = LedgerSession(opener(device.where), name=device.name, patience=self._patience, log=log)
        self._owner = DeviceOwner(session, name=device.name, lock_file=device.lock_file)
        self._looker = Looker(self._owner, name=device.name, kind=self.name)

    @property
    def state(self) -> DeviceState:
        """Cached; asking touches no device."""
        return self._owner.state

    async def accounts(self) -> Sequence[AccountId]:
        """The pinned accounts. Their applications cannot all be open, so each is looked at when it signs."""
        return tuple(self._keys)

    async def check(self, account: AccountId) -> None:
        """Look whether the pinned key is there, after what others wait for. Raises as signing does."""
        key = self._key(account)
        await self._owner.run(lambda session, _ticket: session.check(key))

    async def adopt(self, account: AccountId) -> None:
        """Refused: a device account has a path that a person chose and an address that a person confirmed."""
        if account not in self._keys:
            text = f"{account}: a device account is added by configuration, with its path and its address"
            raise PreconditionError(FailReason.DEVICE_REFUSES, text)

    async def sign_evm(self, account: AccountId, transaction: UnsignedEvmTransaction) -> EvmSignature:
        """Have a person sign."""
        return await self.sign_evm_for(None, account, transaction)

    async def sign_solana(self, account: AccountId, message: bytes) -> bytes:
        """Have a person sign a whole message."""
        return await self.sign_solana_for(None, account, message)

    async def sign_evm_for(
        self, watch: Watch | None, account: AccountId, transaction: UnsignedEvmTransaction
    ) -> EvmSignature:
        """Sign, and tell `watch` how far it is."""
        key = self._key(account, evm=True)
        if transaction.chain_id != evm_chain_id(chain_of(account)):
            text = f"{account} was asked to sign for chain {transaction.chain_id}"
            raise BrokenError(FailReason.BROKEN, text)
        request = ethereum.signing_request(key, transaction)
        return await self._run(lambda session, ticket: session.sign(request, ticket), watch)

    async def sign_solana_for(self, watch: Watch | None, account: AccountId, message: bytes) -> bytes:
        """Sign, and tell `watch` how far it is."""
        request = solana.signing_request(self._key(account, evm=False), message)
        signed = await self._run(lambda session, ticket: session.sign(request, ticket), watch)
        return signed.signature

    async def sign_solana_at_turn(
        self, account: AccountId, make: Callable[[], Awaitable[bytes]], watch: Watch
    ) -> SignedSolanaMessage:
        """Have a person sign the message that `make` makes when the device is ready to show it."""
        key, within_ms = self._key(account, evm=False), self._patience.answer_ms

        def made(ticket: Ticket) -> Request[SignedSolanaMessage]:
            return solana.signing_request(key, ticket.make(make, within_ms=within_ms))

        return await self._run(
            lambda session, ticket: session.sign_made(key, lambda: made(ticket), ticket), watch
        )

    @property
    def device(self) -> str:
        """Name of the device in the settings."""
        return self._place.name

    @property
    def approval_timeout_ms(self) -> int:
        """How long a person may take for one request."""
        return self._patience.approval_ms

    def screens(self, account: AccountId, transaction: UnsignedEvmTransaction) -> tuple[Screen, ...]:
        """What the device will show, as a Nano shows it."""
        self._key(account, evm=True)
        return screens_of(address_of(account), transaction)

    async def look(self, account: AccountId) -> DeviceStatus:
        """How the device is. Blind signing that is off counts as not ready: no swap could be signed."""
        return await self._looker.look(account, lambda session, _: require_ready(session, self._key(account)))

    def attended(self, watch: Watch) -> "AttendedLedger":
        """The same device, for one request whose progress somebody watches."""
        return AttendedLedger(self, watch)

    async def aclose(self) -> None:
        """Give up what is shown, close the device, let other processes have it."""
        await self._owner.aclose()
        await self._looker.aclose()

    @override
    def __repr__(self) -> str:
        return f"LedgerBackend({len(self._keys)} keys, {self.state})"

    @override
    def __reduce__(self) -> NoReturn:
        """Its thread and its connection stay in this process."""
        raise TypeError("a key backend cannot be pickled or copied")

    async def _run(self, work: Callable[[LedgerSession, Ticket], T], watch: Watch | None) -> T:
        return await self._owner.run(work, watch)

    def _key(self, account: AccountId, *, evm: bool | None = None) -> Key:
        key = self._keys.get(account)
        if key is None or (evm is not None and evm != (key.application is ETHEREUM)):
            raise BrokenError(FailReason.BROKEN, f"the ledger backend holds no such key for {account}")
        return key


class AttendedLedger:
    """A LedgerBackend whose signatures are watched."""

    name = "ledger"

    def __init__(self, backend: LedgerBackend, watch: Watch) -> None:
        self._backend = backend
        self._watch = watch

    async def accounts(self) -> Sequence[AccountId]:
        """As the backend's."""
        return await self._backend.accounts()

    async def check(self, account: AccountId) -> None:
        """As the backend's."""
        await self._backend.check(account)

    async def adopt(self, account: AccountId) -> None:
        """As the backend's."""
        await self._backend.adopt(account)

    async def sign_evm(self, account: AccountId, transaction: UnsignedEvmTransaction) -> EvmSignature:
        """Have a person sign, watched."""
        return await self._backend.sign_evm_for(self._watch, account, transaction)

    async def sign_solana(self, account: AccountId, message: bytes) -> bytes:
        """Have a person sign a whole message, watched."""
        return await self._backend.sign_solana_for(self._watch, account, message)


def _key(configured: LedgerKey) -> Key:
    path = DevicePath(encode_path(configured.path))
    application = application_of(chain_of(configured.account), configured.path)
    return Key(account=configured.account, path=path, application=application)
