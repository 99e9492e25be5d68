"""Envelopes of public test accounts under a wrapping key of one test. Holds no other key."""

from signer.adapters.system_clock import SystemClock
from signer.adapters.vault.api import VaultApi
from signer.adapters.vault.envelope import Envelope, context_of
from signer.adapters.vault.envelopes import EnvelopeStore, open_store
from signer.adapters.vault.transit import AES, Transit
from signer.adapters.vault.wrapping_key import WrappingKeyRotation
from signer.domain.accounts import AccountId
from tests.testbed.accounts import dev_account
from tests.testbed.vault_ground import TRANSIT
from tests.unit.audit.checkpoints import RecordingLog

CHAIN = "eip155:31337"


class Wrapped:
    """A wrapping key, a store and `count` envelopes of test accounts; `place` is `kv` or `file:FOLDER`."""

    def __init__(self, api: VaultApi, *, name: str, place: str, count: int = 3) -> None:
        self.api, self.key, self.mount, self.place = api, f"wrap-{name}", f"kv-{name}", place
        self.transit = Transit(api, TRANSIT)
        self.accounts = tuple(account(index) for index in range(count))

    @property
    def store(self) -> EnvelopeStore:
        return open_store(self.place, self.api, kv_mount=self.mount)

    async def make(self) -> "Wrapped":
        await self.transit.create(self.key, type_=AES, derived=True)
        await self.api.write(f"sys/mounts/{self.mount}", {"type": "kv", "options": {"version": "2"}})
        for index, each in enumerate(self.accounts):
            await self.store.create(await self.wrapped(each, index))
        return self

    async def wrapped(self, each: AccountId, index: int) -> Envelope:
        secret = memoryview(bytearray(bytes.fromhex(dev_account(index).private_key.removeprefix("0x"))))
        ciphertext = await self.transit.encrypt(self.key, secret, context=context_of(each))
        return Envelope(account=each, ciphertext=ciphertext, wrapping_key=self.key)

    async def envelopes(self) -> tuple[Envelope, ...]:
        found = [await self.store.read(each) for each in self.accounts]
        return tuple(each for each in found if each is not None)

    def rotation(self) -> WrappingKeyRotation:
        return rotation(self.transit, self.store, self.key)


def account(index: int) -> AccountId:
    return AccountId(f"{CHAIN}:{dev_account(index).address}")


def rotation(transit: Transit, store: EnvelopeStore, key: str) -> WrappingKeyRotation:
    return WrappingKeyRotation(transit=transit, store=store, key=key, clock=SystemClock(), log=RecordingLog())
