"""Keys before a person whom the test plays."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from signer.domain.accounts import AccountId
from signer.domain.errors import SignerError
from signer.domain.solana import SignedSolanaMessage
from signer.domain.transactions import EvmSignature, UnsignedEvmTransaction
from signer.ports.device import DevicePhase, DeviceProgress, DeviceStatus, Screen, Watch
from signer.ports.key_backend import KeyBackend
from tests.fakes.signer_world import FakeBackend


@dataclass
class FakeDevice:
    """Shows one transaction at a time and waits for `press`; `taken_off` counts dialogs that were ended.

    `inner` signs what was confirmed.
    """

    inner: KeyBackend = field(default_factory=FakeBackend)
    name: str = "fake device"
    device: str = "desk"
    approval_timeout_ms: int = 90_000
    shown: list[UnsignedEvmTransaction] = field(default_factory=list)
    confirmed: list[UnsignedEvmTransaction] = field(default_factory=list)
    taken_off: int = 0
    busy: bool = False
    _presses: "asyncio.Queue[SignerError | None]" = field(default_factory=asyncio.Queue)

    def press(self, error: SignerError | None = None) -> None:
        """Confirm what is shown, or let it end so."""
        self._presses.put_nowait(error)

    async def accounts(self) -> Sequence[AccountId]:
        return await self.inner.accounts()

    async def check(self, account: AccountId) -> None:
        await self.inner.check(account)

    async def adopt(self, account: AccountId) -> None:
        await self.inner.adopt(account)

    async def sign_evm(self, account: AccountId, transaction: UnsignedEvmTransaction) -> EvmSignature:
        return await self.attended(lambda _: None).sign_evm(account, transaction)

    async def sign_solana(self, account: AccountId, message: bytes) -> bytes:
        raise NotImplementedError

    def attended(self, watch: Watch) -> KeyBackend:
        return _Attended(self, watch)

    def screens(self, account: AccountId, transaction: UnsignedEvmTransaction) -> tuple[Screen, ...]:
        return (Screen(title="Nonce", text=f"{account} {transaction.nonce}"),)

    async def look(self, account: AccountId) -> DeviceStatus:
        assert account
        return DeviceStatus(name=self.device, kind=self.name, state="idle", ready=True)

    async def sign_solana_at_turn(
        self, account: AccountId, make: Callable[[], Awaitable[bytes]], watch: Watch
    ) -> SignedSolanaMessage:
        raise NotImplementedError

    async def review(self, watch: Watch, transaction: UnsignedEvmTransaction) -> None:
        """Show it to the person, and raise or return what they decide."""
        assert not self.busy, "two dialogs at once"
        self.busy = True
        self.shown.append(transaction)
        watch(DeviceProgress(phase=DevicePhase.WAITING_FOR_CONFIRMATION, message="screen 1 of 1"))
        try:
            error = await self._presses.get()
        except asyncio.CancelledError:
            self.taken_off += 1
            raise
        finally:
            self.busy = False
        if error is not None:
            raise error
        self.confirmed.append(transaction)
        watch(DeviceProgress(phase=DevicePhase.CONFIRMED))


@dataclass
class _Attended:
    """The device for one request."""

    _device: FakeDevice
    _watch: Watch
    name: str = "fake device"

    async def accounts(self) -> Sequence[AccountId]:
        return await self._device.accounts()

    async def check(self, account: AccountId) -> None:
        await self._device.check(account)

    async def adopt(self, account: AccountId) -> None:
        await self._device.adopt(account)

    async def sign_evm(self, account: AccountId, transaction: UnsignedEvmTransaction) -> EvmSignature:
        await self._device.review(self._watch, transaction)
        return await self._device.inner.sign_evm(account, transaction)

    async def sign_solana(self, account: AccountId, message: bytes) -> bytes:
        raise NotImplementedError
