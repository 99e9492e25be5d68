"""The `dev` key backend. Holds raw keys in memory, so it refuses every chain that is not known as local."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typing_extensions import override

from signer.adapters.dev_key.derivation import ethereum_key, solana_key
from signer.adapters.dev_key.key_file import read_key_file
from signer.adapters.dev_key.public_accounts import public_index
from signer.decode.evm.envelope import signing_hash
from signer.decode.evm.recovery import address_of_public_key
from signer.domain.accounts import AccountId, ChainName, address_of, chain_of, evm_chain_id
from signer.domain.base58 import base58
from signer.domain.errors import BrokenError, ConfigurationError
from signer.domain.reasons import FailReason
from signer.domain.transactions import EvmSignature, UnsignedEvmTransaction

LOCAL_CHAINS = frozenset(
    {
        ChainName("eip155:1337"),
        ChainName("eip155:31337"),
        ChainName("eip155:31338"),
        ChainName("solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"),  # devnet
        ChainName("solana:4uhcVJyU9pJkvQyUS88uRDiswHXSCkY3"),  # testnet
    }
)
"""Chains without real money. A list of what is allowed: a new mainnet is refused without being known here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DevKey:
    """A pinned account and where its key comes from: exactly one of the two."""

    account: AccountId
    mnemonic_index: int | None = None
    key_file: Path | None = None


class DevKeyBackend:
    """Signs with keys in memory. Every key is checked against its pinned account when the backend is made."""

    name = "dev"

    def __init__(self, keys: Iterable[DevKey]) -> None:
        """Raises ConfigurationError for a chain that is not local, a bad key file, or a foreign key."""
        self._evm: dict[AccountId, PrivateKey] = {}
        self._solana: dict[AccountId, Ed25519PrivateKey] = {}
        for key in keys:
            require_local(key.account)
            if key.account.startswith("eip155:"):
                self._evm[key.account] = PrivateKey(_secret(key, ethereum_key))
            else:
                self._solana[key.account] = Ed25519PrivateKey.from_private_bytes(_secret(key, solana_key))
            actual = self._address(key.account)
            if actual != address_of(key.account):
                raise ConfigurationError(
                    f"{key.account}: its dev key is the key of {actual}; allowed is that address"
                )

    async def accounts(self) -> Sequence[AccountId]:
        """Every account with a key."""
        return (*self._evm, *self._solana)

    async def check(self, account: AccountId) -> None:
        """Raises BrokenError when the key is not there or is not the pinned one."""
        if account not in self._evm and account not in self._solana:
            raise BrokenError(FailReason.BROKEN, f"the dev backend holds no key for {account}")
        if self._address(account) != address_of(account):
            raise BrokenError(FailReason.BROKEN, f"the dev backend holds another key than that of {account}")

    async def adopt(self, account: AccountId) -> None:
        """Hold a public test account, too. Raises ConfigurationError for any other."""
        if account not in self._evm:
            require_local(account)
            self._evm[account] = PrivateKey(ethereum_key(public_index(account)))

    async def sign_evm(self, account: AccountId, transaction: UnsignedEvmTransaction) -> EvmSignature:
        """Sign; 20 microseconds, so it is done in the event loop. libsecp256k1 gives low-s only."""
        key = self._evm.get(account)
        if key is None:
            raise BrokenError(FailReason.BROKEN, f"the dev backend holds no key for {account}")
        if transaction.chain_id != evm_chain_id(chain_of(account)):
            text = f"{account} was asked to sign for chain {transaction.chain_id}"
            raise BrokenError(FailReason.BROKEN, text)
        signature = key.sign_recoverable(signing_hash(transaction), hasher=None)
        return EvmSignature(
            r=int.from_bytes(signature[:32], "big"),
            s=int.from_bytes(signature[32:64], "big"),
            y_parity=signature[64],
        )

    async def sign_solana(self, account: AccountId, message: bytes) -> bytes:
        """Sign a serialized message with ed25519."""
        key = self._solana.get(account)
        if key is None:
            raise BrokenError(FailReason.BROKEN, f"the dev backend holds no key for {account}")
        return key.sign(message)

    @override
    def __repr__(self) -> str:
        return f"DevKeyBackend({len(self._evm) + len(self._solana)} keys)"

    @override
    def __reduce__(self) -> NoReturn:
        """Keys stay in this process."""
        raise TypeError("a key backend cannot be pickled or copied")

    def _address(self, account: AccountId) -> str:
        if account in self._solana:
            return base58(self._solana[account].public_key().public_bytes_raw())
        public = self._evm[account].public_key.format(compressed=False)
        return address_of_public_key(public[1:])


def require_local(account: AccountId) -> None:
    """Raise ConfigurationError unless the chain of the account is a known local one."""
    chain = chain_of(account)
    if chain not in LOCAL_CHAINS:
        allowed = ", ".join(sorted(LOCAL_CHAINS))
        raise ConfigurationError(
            f"{account}: the dev backend keeps keys in memory and refuses {chain}; allowed are {allowed}"
        )


def _secret(key: DevKey, derive: Callable[[int], bytes]) -> bytes:
    if key.key_file is not None and key.mnemonic_index is None:
        return read_key_file(key.key_file)
    if key.mnemonic_index is not None and key.key_file is None:
        return derive(key.mnemonic_index)
    raise ConfigurationError(f"{key.account}: exactly one of mnemonic_index and key_file is allowed")
