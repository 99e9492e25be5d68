"""The `trezor` key backend: keys on one device, a person before it. Refuses to sign without either."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NoReturn, TypeVar

from trezorlib.transport import Transport
from typing_extensions import override

from signer.adapters.device.look import Looker
from signer.adapters.device.owner import DeviceOwner, Ticket
from signer.adapters.device.states import DeviceState
from signer.adapters.trezor_device.device import TrezorDevice, TrezorKey
from signer.adapters.trezor_device.places import finder
from signer.adapters.trezor_device.screens import screens_of
from signer.adapters.trezor_device.session import TrezorSession
from signer.adapters.trezor_device.signing import ask_evm, ask_made_solana, ask_solana, require_signable
from signer.domain.accounts import AccountId, chain_of, evm_chain_id
from signer.domain.errors import BrokenError, PreconditionError
from signer.domain.reasons import FailReason
from signer.domain.solana import SignedSolanaMessage
from signer.domain.transactions import EvmSignature, UnsignedEvmTransaction
from signer.ports.device import DevicePhase, DeviceProgress, DeviceStatus, Screen, Watch
from signer.ports.key_backend import KeyBackend

T = TypeVar("T")


class TrezorBackend:
    """All accounts of one device. Opens nothing until it is asked; close it with `aclose`."""

    name = "trezor"

    def __init__(
        self,
        device: TrezorDevice,
        keys: Iterable[TrezorKey],
        *,
        find: Callable[[], Transport] | None = None,
    ) -> None:
        """`find` searches the device anew at each connection; by default where `device.where` says.

        Raises ConfigurationError for a path that is none.
        """
        self._keys = {key.account: key for key in keys}
        for key in self._keys.values():
            _ = key.steps
        self._device = device
        self._where = device.where
        session = TrezorSession(device, find or finder(device.where))
        self._owner = DeviceOwner(session, name=f"the Trezor at {device.where}", lock_file=device.lock_file)
        self._looker = Looker(self._owner, name=self.device, kind=self.name)

    @property
    def state(self) -> DeviceState:
        """What the device does now, as the owner knows it; asks nobody."""
        return self._owner.state

    async def accounts(self) -> Sequence[AccountId]:
        """The pinned accounts; each is checked on the device before it signs."""
        return tuple(self._keys)

    async def check(self, account: AccountId) -> None:
        """Make sure that the device is there and unlocked and has the pinned address. Shows nothing."""
        key = self._key(account)
        await self._owner.run(lambda session, ticket: session.check(ticket, key))

    async def adopt(self, account: AccountId) -> None:
        """Refused for an account that the settings do not name: a person compares its address first."""
        if account not in self._keys:
            text = (
                f"{account}: an account of a Trezor is added by configuration (its [[accounts]] has the "
                "path), after a person compared the address on the device"
            )
            raise PreconditionError(FailReason.DEVICE_REFUSES, text)

    async def sign_evm(self, account: AccountId, transaction: UnsignedEvmTransaction) -> EvmSignature:
        """Sign when the person confirms on the device."""
        return await self.sign_evm_watched(account, transaction, None)

    async def sign_solana(self, account: AccountId, message: bytes) -> bytes:
        """Sign when the person confirms on the device."""
        return await self.sign_solana_watched(account, message, None)

    @property
    def device(self) -> str:
        """Name of the device in the settings."""
        return self._device.name or self._device.where

    @property
    def approval_timeout_ms(self) -> int:
        """How long a person may take for one request."""
        return self._device.approval_ms

    def screens(self, account: AccountId, transaction: UnsignedEvmTransaction) -> tuple[Screen, ...]:
        """What the device will show: its fields, not its words. Model One has them on more screens."""
        self._key(account)
        return screens_of(transaction)

    async def look(self, account: AccountId) -> DeviceStatus:
        """How the device is. One that would first ask for PIN or passphrase is not ready."""
        return await self._looker.look(
            account, lambda session, ticket: session.check(ticket, self._key(account))
        )

    def attended(self, watch: Watch) -> KeyBackend:
        """The same backend, telling `watch` how far each of its signatures is."""
        return _Watched(self, watch)

    async def sign_evm_watched(
        self, account: AccountId, transaction: UnsignedEvmTransaction, watch: Watch | None
    ) -> EvmSignature:
        """`sign_evm` with somebody who watches."""
        key = self._key(account)
        if not key.is_evm or transaction.chain_id != evm_chain_id(chain_of(account)):
            text = f"{account} was asked to sign for chain {transaction.chain_id}"
            raise BrokenError(FailReason.BROKEN, text)
        return await self._watched(
            lambda session, ticket: session.sign(
                ticket, key, lambda wallet, request: ask_evm(wallet, request, key, transaction)
            ),
            watch,
        )

    async def sign_solana_watched(self, account: AccountId, message: bytes, watch: Watch | None) -> bytes:
        """`sign_solana` with somebody who watches."""
        key = self._solana_key(account)
        require_signable(key, message)
        return await self._watched(
            lambda session, ticket: session.sign(
                ticket, key, lambda wallet, request: ask_solana(wallet, request, key, message)
            ),
            watch,
        )

    async def sign_solana_at_turn(
        self, account: AccountId, make: Callable[[], Awaitable[bytes]], watch: Watch
    ) -> SignedSolanaMessage:
        """Sign the message that `make` makes when the device is ready to show it."""
        key, within_ms = self._solana_key(account), self._device.answer_ms

        def work(session: TrezorSession, ticket: Ticket) -> SignedSolanaMessage | Exception:
            def made() -> bytes:
                return ticket.make(make, within_ms=within_ms)

            return session.sign(
                ticket, key, lambda wallet, request: ask_made_solana(wallet, request, key, made)
            )

        outcome = await self._watched(work, watch)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def aclose(self) -> None:
        """End what the person has before them, and let go of the device."""
        await self._owner.aclose()
        await self._looker.aclose()

    async def _watched(self, work: Callable[[TrezorSession, Ticket], T], watch: Watch | None) -> T:
        if watch is None:
            return await self._owner.run(work)
        told = _Told(watch)
        try:
            return await self._owner.run(work, told)
        finally:
            told.end()

    def _key(self, account: AccountId) -> TrezorKey:
        key = self._keys.get(account)
        if key is None:
            raise BrokenError(FailReason.BROKEN, f"the Trezor at {self._where} holds no key for {account}")
        return key

    def _solana_key(self, account: AccountId) -> TrezorKey:
        key = self._key(account)
        if key.is_evm:
            raise BrokenError(FailReason.BROKEN, f"{account} was asked to sign a Solana message")
        return key

    @override
    def __repr__(self) -> str:
        return f"TrezorBackend({self._where}, {len(self._keys)} keys)"

    @override
    def __reduce__(self) -> NoReturn:
        """There is one owner."""
        raise TypeError("a key backend cannot be pickled or copied")


class _Watched:
    """A backend for one request, with its watcher."""

    name = "trezor"

    def __init__(self, backend: TrezorBackend, watch: Watch) -> None:
        self._backend = backend
        self._watch = watch

    async def accounts(self) -> Sequence[AccountId]:
        return await self._backend.accounts()

    async def check(self, account: AccountId) -> None:
        await self._backend.check(account)

    async def adopt(self, account: AccountId) -> None:
        await self._backend.adopt(account)

    async def sign_evm(self, account: AccountId, transaction: UnsignedEvmTransaction) -> EvmSignature:
        return await self._backend.sign_evm_watched(account, transaction, self._watch)

    async def sign_solana(self, account: AccountId, message: bytes) -> bytes:
        return await self._backend.sign_solana_watched(account, message, self._watch)


class _Told:
    """A watcher who hears nothing after the end: a screen may still be on its way when a caller leaves."""

    def __init__(self, watch: Watch) -> None:
        self._watch: Watch | None = watch

    def __call__(self, progress: DeviceProgress) -> None:
        if self._watch is not None:
            self._watch(progress)

    def end(self) -> None:
        self(DeviceProgress(phase=DevicePhase.ENDED))
        self._watch = None
