"""The `vault` key backend. Keeps no key: Solana signs inside Vault, an EVM key is here for one signature.

Refuses a key that could leave Vault, that is not the pinned version, or that is not the account's own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from typing_extensions import override

from signer.adapters.vault import pins
from signer.adapters.vault.api import VaultRefusedError
from signer.adapters.vault.batcher import Batcher
from signer.adapters.vault.envelope import Envelope
from signer.adapters.vault.envelopes import EnvelopeStore
from signer.adapters.vault.opening import DigestToSign, SignedDigest, address_in, foreign_key, sign_digests
from signer.adapters.vault.refusals import ItemRefused
from signer.adapters.vault.transit import Signed, Transit
from signer.decode.evm.envelope import signing_hash
from signer.domain.accounts import AccountId, chain_of, evm_chain_id
from signer.domain.errors import BrokenError, ConfigurationError, SignerError
from signer.domain.reasons import FailReason
from signer.domain.transactions import EvmSignature, UnsignedEvmTransaction


@dataclass(frozen=True, slots=True, kw_only=True)
class SolanaPin:
    """Transit key and version that sign for an account. Never the latest: its address would change."""

    key: str
    key_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultKey:
    """An account; EVM by its envelope, Solana by its pin."""

    account: AccountId
    solana: SolanaPin | None = None


class VaultKeyBackend:
    """Signs through Transit. What waits at the same moment goes out in one request."""

    name = "vault"

    def __init__(
        self, *, keys: Iterable[VaultKey], transit: Transit, envelopes: EnvelopeStore, wrapping_key: str
    ) -> None:
        """Raises ConfigurationError for an account without what its chain needs. Asks Vault nothing yet."""
        self._transit = transit
        self._envelopes = envelopes
        self._wrapping_key = wrapping_key
        self._evm: dict[AccountId, Envelope | None] = {}
        self._solana: dict[AccountId, _SolanaKey] = {}
        self._digests: Batcher[DigestToSign, EvmSignature] = Batcher(self._sign_digests)
        for key in keys:
            is_evm = key.account.startswith("eip155:")
            if is_evm == (key.solana is not None):
                raise ConfigurationError(
                    f"{key.account}: allowed is vault = {{ key = …, key_version = … }} for a Solana account, "
                    "and none for an EVM account, whose envelope is found by its name"
                )
            if key.solana is None:
                self._evm[key.account] = None
            else:
                self._solana[key.account] = _SolanaKey(transit, key.account, key.solana)

    async def accounts(self) -> Sequence[AccountId]:
        """Every account, after a look at its key."""
        held = (*self._evm, *self._solana)
        for account in held:
            await self.check(account)
        return held

    async def check(self, account: AccountId) -> None:
        """Raises ConfigurationError for a key that may not be used, BrokenError for another key."""
        if account in self._solana:
            await self._solana[account].check()
        elif account in self._evm:
            self._evm[account] = await self._checked(account)
        else:
            raise self._not_held(account)

    async def adopt(self, account: AccountId) -> None:
        """Hold the key of an EVM account that has an envelope. Raises as `check` does."""
        if account in self._evm:
            return
        if not account.startswith("eip155:"):
            raise ConfigurationError(f"{account}: a Solana account is adopted by settings that pin its key")
        self._evm[account] = await self._checked(account)

    async def sign_evm(self, account: AccountId, transaction: UnsignedEvmTransaction) -> EvmSignature:
        """Sign; the key is in locked memory meanwhile, in a thread of its own."""
        if account not in self._evm:
            raise self._not_held(account)
        if transaction.chain_id != evm_chain_id(chain_of(account)):
            text = f"{account} was asked to sign for chain {transaction.chain_id}"
            raise BrokenError(FailReason.BROKEN, text)
        digest = signing_hash(transaction)
        envelope = self._evm[account] or await self._load(account)
        try:
            return await self._digests.ask(DigestToSign(envelope=envelope, digest=digest))
        except BrokenError:
            # Whoever rotates the wrapping key stores a new envelope before it switches the old version off.
            fresh = await self._load(account)
            if fresh == envelope:
                raise
        return await self._digests.ask(DigestToSign(envelope=fresh, digest=digest))

    async def sign_solana(self, account: AccountId, message: bytes) -> bytes:
        """Sign a serialized message with the pinned version, inside Vault."""
        key = self._solana.get(account)
        if key is None:
            raise self._not_held(account)
        return await key.sign(message)

    @override
    def __repr__(self) -> str:
        return f"VaultKeyBackend({len(self._evm) + len(self._solana)} keys)"

    @override
    def __reduce__(self) -> NoReturn:
        """Its connections stay in this process."""
        raise TypeError("a key backend cannot be pickled or copied")

    async def _checked(self, account: AccountId) -> Envelope:
        """The envelope of an account, after a look at the wrapping key and at the key inside."""
        envelope = await self._read(account)
        await pins.wrapping_key(self._transit, self._wrapping_key)
        try:
            address = await address_in(self._transit, envelope)
        except VaultRefusedError as error:
            raise _refused_whole(envelope.wrapping_key, error) from None
        if (problem := foreign_key(envelope, address)) is not None:
            raise problem
        return envelope

    async def _load(self, account: AccountId) -> Envelope:
        envelope = await self._read(account)
        self._evm[account] = envelope
        return envelope

    async def _read(self, account: AccountId) -> Envelope:
        try:
            envelope = await self._envelopes.read(account)
        except VaultRefusedError as error:
            raise ConfigurationError(f"the envelope of {account} cannot be read: {error}") from None
        if envelope is None:
            raise ConfigurationError(
                f"{account} has no envelope; `airlock-signer vault create-account` or `import-account` "
                "makes one"
            )
        if envelope.wrapping_key != self._wrapping_key:
            raise ConfigurationError(
                f"the envelope of {account} is of Transit key {envelope.wrapping_key}; allowed is "
                f"{self._wrapping_key}, as [vault] wrapping_key says"
            )
        return envelope

    async def _sign_digests(self, asked: Sequence[DigestToSign]) -> Sequence[SignedDigest]:
        try:
            return await sign_digests(self._transit, self._wrapping_key, asked)
        except VaultRefusedError as error:
            raise _refused_whole(self._wrapping_key, error) from None

    def _not_held(self, account: AccountId) -> SignerError:
        return BrokenError(FailReason.BROKEN, f"the vault backend holds no key for {account} of that kind")


class _SolanaKey:
    """One pinned version of one Transit key."""

    def __init__(self, transit: Transit, account: AccountId, pin: SolanaPin) -> None:
        self._transit = transit
        self._account = account
        self._pin = pin
        self._public: Ed25519PublicKey | None = None
        self._messages: Batcher[bytes, bytes] = Batcher(self._send)

    async def check(self) -> Ed25519PublicKey:
        public = await pins.pinned_public_key(
            self._transit, self._account, self._pin.key, self._pin.key_version
        )
        self._public = Ed25519PublicKey.from_public_bytes(public)
        return self._public

    async def sign(self, message: bytes) -> bytes:
        public = self._public or await self.check()
        signature = await self._messages.ask(message)
        try:
            public.verify(signature, message)
        except InvalidSignature:
            text = (
                f"Transit key {self._pin.key} signed for {self._account} with another key than the pinned one"
            )
            raise BrokenError(FailReason.SIGNATURE_INVALID, text) from None
        return signature

    async def _send(self, messages: Sequence[bytes]) -> Sequence[bytes | SignerError]:
        version = self._pin.key_version
        try:
            signed = await self._transit.sign_batch(self._pin.key, messages, key_version=version)
        except VaultRefusedError as error:
            raise _refused_whole(self._pin.key, error) from None
        return tuple(map(partial(_pinned, self._account, version), signed))


def _pinned(account: AccountId, version: int, signed: Signed) -> bytes | SignerError:
    if isinstance(signed, ItemRefused):
        return BrokenError(FailReason.BROKEN, f"Vault does not sign for {account}: {signed.text}")
    if signed.key_version != version:
        return BrokenError(
            FailReason.SIGNATURE_INVALID,
            f"Vault signed for {account} with version {signed.key_version}; pinned is {version}",
        )
    return signed.raw


def _refused_whole(key: str, error: VaultRefusedError) -> SignerError:
    return BrokenError(FailReason.BROKEN, f"Transit key {key} cannot be used: {error}")
