"""New Solana accounts: ed25519 keys made inside Transit, or brought in under its wrapping key. Shows none."""

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

from signer.adapters.vault import pins
from signer.adapters.vault.backend import SolanaPin, VaultKey
from signer.adapters.vault.transit import ED25519, Transit
from signer.domain.accounts import AccountId, ChainName, address_of
from signer.domain.base58 import base58
from signer.domain.errors import BrokenError, ConfigurationError
from signer.domain.reasons import FailReason

FIRST_VERSION = 1
_WRAPPING_BITS = 256


async def create(transit: Transit, chain: ChainName, name: str) -> VaultKey:
    """Make a Transit key that never leaves Vault. Raises ConfigurationError when the name is taken."""
    await _require_free(transit, name)
    await transit.create(name, type_=ED25519)
    facts = await transit.facts(name)
    if facts is None or FIRST_VERSION not in facts.public_keys:
        raise BrokenError(FailReason.BROKEN, f"Transit key {name} was made and is not there")
    account = AccountId(f"{chain}:{base58(facts.public_keys[FIRST_VERSION])}")
    return await _pinned(transit, account, name)


async def take(transit: Transit, account: AccountId, name: str, seed: memoryview) -> VaultKey:
    """Bring a key in (BYOK). Raises ConfigurationError when it is not the key of `account`.

    `cryptography` copies the seed; it is in the memory of this process until the process ends.
    """
    key = Ed25519PrivateKey.from_private_bytes(seed)
    address = base58(key.public_key().public_bytes_raw())
    if address != address_of(account):
        raise ConfigurationError(f"the key is that of {address}; allowed is the key of {account}")
    await _require_free(transit, name)
    wrapping_key = serialization.load_pem_public_key((await transit.wrapping_key()).encode())
    if not isinstance(wrapping_key, rsa.RSAPublicKey):
        raise BrokenError(FailReason.BROKEN, f"{transit.mount}/wrapping_key is no RSA key")
    await transit.import_key(name, type_=ED25519, wrapped=_wrapped(key, wrapping_key))
    return await _pinned(transit, account, name)


async def _pinned(transit: Transit, account: AccountId, name: str) -> VaultKey:
    await pins.pinned_public_key(transit, account, name, FIRST_VERSION)
    return VaultKey(account=account, solana=SolanaPin(key=name, key_version=FIRST_VERSION))


async def _require_free(transit: Transit, name: str) -> None:
    if await transit.facts(name) is not None:
        raise ConfigurationError(
            f"Transit key {transit.mount}/keys/{name} is there already; choose another name"
        )


def _wrapped(key: Ed25519PrivateKey, wrapping_key: rsa.RSAPublicKey) -> bytes:
    """RSA-OAEP of a fresh AES key, then the key under it by AES-KWP (RFC 5649): Transit's import format."""
    plain = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    ephemeral = AESGCM.generate_key(_WRAPPING_BITS)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label=None)
    return wrapping_key.encrypt(ephemeral, oaep) + aes_key_wrap_with_padding(ephemeral, plain)
