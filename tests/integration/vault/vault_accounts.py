"""Accounts of public test keys on a real Vault, and their backend; every test has names of its own."""

import secrets
from dataclasses import dataclass, field

from signer.adapters.vault.api import VaultApi
from signer.adapters.vault.backend import SolanaPin, VaultKey, VaultKeyBackend
from signer.adapters.vault.envelopes import EnvelopeStore, KvEnvelopes
from signer.adapters.vault.locked_memory import LockedBuffer
from signer.adapters.vault.new_account import NewAccounts
from signer.adapters.vault.transit import AES, ED25519, Transit
from signer.domain.accounts import AccountId, ChainName
from signer.domain.base58 import base58
from tests.testbed.accounts import dev_account
from tests.testbed.vault_ground import KV

DEVNET = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultAccounts:
    """One wrapping key of its own, and accounts on a chain id of its own: `airlock/accounts` is shared."""

    api: VaultApi
    chain_id: int = field(default_factory=lambda: 10**9 + secrets.randbelow(10**9))
    wrapping_key: str = field(default_factory=lambda: f"envelopes-{secrets.token_hex(6)}")
    store: EnvelopeStore | None = None

    @property
    def transit(self) -> Transit:
        return Transit(self.api)

    @property
    def envelopes(self) -> EnvelopeStore:
        return self.store or KvEnvelopes(self.api, KV)

    @property
    def new(self) -> NewAccounts:
        return NewAccounts(transit=self.transit, envelopes=self.envelopes, wrapping_key=self.wrapping_key)

    @property
    def chain(self) -> ChainName:
        return ChainName(f"eip155:{self.chain_id}")

    def account(self, index: int) -> AccountId:
        """CAIP-10 of a public test account on the chain of this test."""
        return AccountId(f"eip155:{self.chain_id}:{dev_account(index).address}")

    async def lay(self) -> None:
        await self.transit.create(self.wrapping_key, type_=AES, derived=True)

    async def wrap(self, index: int) -> AccountId:
        """Store the key of a public test account."""
        account = self.account(index)
        with LockedBuffer(32) as key:
            key.view[:32] = bytes.fromhex(dev_account(index).private_key.removeprefix("0x"))
            await self.new.take(account, key.view[:32])
        return account

    async def solana(self) -> VaultKey:
        """Make a Transit key; its first version is the account's."""
        name = f"sol-{secrets.token_hex(6)}"
        await self.transit.create(name, type_=ED25519)
        return VaultKey(account=await self.solana_account(name, 1), solana=SolanaPin(key=name, key_version=1))

    async def solana_account(self, name: str, version: int) -> AccountId:
        facts = await self.transit.facts(name)
        assert facts is not None
        return AccountId(f"{DEVNET}:{base58(facts.public_keys[version])}")

    def backend(self, *keys: VaultKey | AccountId) -> VaultKeyBackend:
        return VaultKeyBackend(
            keys=[key if isinstance(key, VaultKey) else VaultKey(account=key) for key in keys],
            transit=self.transit,
            envelopes=self.envelopes,
            wrapping_key=self.wrapping_key,
        )
