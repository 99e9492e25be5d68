"""What a Transit key must be before it signs or opens anything. Refuses what could leave Vault or vanish."""

from signer.adapters.vault.api import VaultRefusedError
from signer.adapters.vault.transit import AES, ED25519, KeyFacts, Transit
from signer.domain.accounts import AccountId, address_of
from signer.domain.base58 import base58
from signer.domain.errors import BrokenError, ConfigurationError
from signer.domain.reasons import FailReason


async def wrapping_key(transit: Transit, name: str) -> KeyFacts:
    """Return the facts of a key that may wrap envelopes. Raises ConfigurationError for any other key."""
    facts = await _safe(transit, name, AES)
    if not facts.derived:
        raise ConfigurationError(
            f"{_place(transit, name)} is not derived, so it would open an envelope under any account's name; "
            f"allowed is a key of type {AES} that was created with derived=true"
        )
    return facts


async def pinned_public_key(transit: Transit, account: AccountId, name: str, version: int) -> bytes:
    """Return the 32 bytes of the pinned version of an ed25519 key.

    Raises ConfigurationError for a key that may not be used or a version that does not work, and BrokenError
    when the version is not the key of the account.
    """
    facts = await _safe(transit, name, ED25519)
    place = f"{_place(transit, name)} version {version}, pinned for {account},"
    if facts.derived:
        raise ConfigurationError(f"{place} is of a derived key; allowed is a key with derived=false")
    if version > facts.latest_version:
        raise ConfigurationError(f"{place} does not exist; allowed are versions up to {facts.latest_version}")
    lowest = max(facts.min_decryption_version, facts.min_encryption_version)
    if version < lowest or version not in facts.public_keys:
        raise ConfigurationError(
            f"{place} is below the key's min_encryption_version {facts.min_encryption_version} or "
            f"min_decryption_version {facts.min_decryption_version}; lower them, or retire the account"
        )
    public = facts.public_keys[version]
    if base58(public) != address_of(account):
        raise BrokenError(
            FailReason.BROKEN, f"{place} is the key of {base58(public)}; allowed is the account's own"
        )
    return public


async def _safe(transit: Transit, name: str, type_: str) -> KeyFacts:
    place = _place(transit, name)
    try:
        facts = await transit.facts(name)
    except VaultRefusedError as error:
        raise ConfigurationError(f"{place} cannot be looked at: {error}") from None
    if facts is None:
        raise ConfigurationError(f"{place} does not exist in Vault; allowed is a key of type {type_}")
    if facts.type != type_:
        raise ConfigurationError(f"{place} is of type {facts.type}; allowed is {type_}")
    if dangers := facts.dangers():
        raise ConfigurationError(
            f"{place} is {' and '.join(dangers)}; "
            "allowed is a key that can neither leave Vault nor be deleted"
        )
    return facts


def _place(transit: Transit, name: str) -> str:
    return f"Transit key {transit.mount}/keys/{name}"
