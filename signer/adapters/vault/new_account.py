"""New EVM accounts: a key is made, or taken, in locked memory, wrapped by Transit and stored. Shows no key.

Whoever does this may encrypt and need not be able to decrypt; that the envelope opens is seen when the signer
checks the account.
"""

from dataclasses import dataclass

from signer.adapters.vault import pins
from signer.adapters.vault.envelope import Envelope, context_of
from signer.adapters.vault.envelopes import EnvelopeStore
from signer.adapters.vault.locked_memory import LockedBuffer
from signer.adapters.vault.secp256k1 import KEY_BYTES, address_of_key
from signer.adapters.vault.transit import Transit
from signer.domain.accounts import AccountId, ChainName, address_of, chain_of, evm_chain_id
from signer.domain.errors import BrokenError, ConfigurationError
from signer.domain.reasons import FailReason


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccounts:
    """Makes accounts whose envelopes lie in one store under one wrapping key.

    Raises what VaultApi raises, and ConfigurationError for a wrapping key that may not be used.
    """

    transit: Transit
    envelopes: EnvelopeStore
    wrapping_key: str

    async def create(self, chain: ChainName) -> AccountId:
        """Make a key from the kernel's randomness; return its account. Raises ValueError for no EVM chain."""
        evm_chain_id(chain)
        with LockedBuffer(KEY_BYTES) as key:
            with open("/dev/urandom", "rb", buffering=0) as source:  # noqa: ASYNC230, PTH123 - never blocks; no copy
                source.readinto(key.view)
            account = AccountId(f"{chain}:{address_of_key(key.view)}")
            await self._store(account, key.view)
        return account

    async def take(self, account: AccountId, key: memoryview) -> None:
        """Store a key that exists. Raises ConfigurationError when it is not the key of `account`."""
        evm_chain_id(chain_of(account))
        try:
            address = address_of_key(key)
        except ValueError as error:
            raise ConfigurationError(f"the key for {account}: {error}") from None
        if address != address_of(account):
            raise ConfigurationError(f"the key is that of {address}; allowed is the key of {account}")
        await self._store(account, key)

    async def ensure_successor(self, account: AccountId) -> AccountId:
        """Return the account that takes over from `account`; made now if none was chosen yet.

        The envelope is stored before it is chosen. Interrupted between the two, it leaves an envelope of an
        account that nobody knows, and the next call makes another.
        """
        chosen = await self.envelopes.successor(account)
        if chosen is None:
            fresh = await self.create(chain_of(account))
            chosen = await self.envelopes.choose_successor(account, fresh)
        if await self.envelopes.read(chosen) is None:
            raise BrokenError(
                FailReason.BROKEN, f"{chosen}, which takes over from {account}, has no envelope"
            )
        return chosen

    async def _store(self, account: AccountId, key: memoryview) -> None:
        await pins.wrapping_key(self.transit, self.wrapping_key)
        ciphertext = await self.transit.encrypt(self.wrapping_key, key, context=context_of(account))
        envelope = Envelope(account=account, ciphertext=ciphertext, wrapping_key=self.wrapping_key)
        if not await self.envelopes.create(envelope):
            raise ConfigurationError(f"{account} has an envelope already; it was left as it is")
        if await self.envelopes.read(account) != envelope:
            raise BrokenError(
                FailReason.BROKEN, f"the envelope of {account} was stored and reads differently"
            )
