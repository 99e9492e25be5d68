"""When a version of a Transit key was made, by what Vault says of the key."""

from datetime import datetime

from signer.adapters.vault.transit import KeyFacts
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.time import MS_PER_S, UnixMs


def created_at(facts: KeyFacts, version: int) -> UnixMs:
    """Return the moment. Vault tells it in seconds for AES keys, as RFC 3339 for others."""
    text = facts.created.get(version, "")
    try:
        seconds = int(text) if text.isdecimal() else int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        raise UnavailableError(
            FailReason.VAULT_FAULTY, f"Vault does not say when version {version} of {facts.name} was made"
        ) from None
    return UnixMs(seconds * MS_PER_S)
