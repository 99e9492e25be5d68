"""The key that signs audit checkpoints: Transit ed25519, newest version. It signs statements only.

Its versions may be rotated at any time: each checkpoint names the version that signed it.
"""

from signer.adapters.audit_file.public_keys import PublicKeys
from signer.adapters.vault.refusals import ItemRefused
from signer.adapters.vault.transit import ED25519, Transit
from signer.domain.checkpoints import Checkpoint, Statement
from signer.domain.errors import ConfigurationError, UnavailableError
from signer.domain.reasons import FailReason

_NEWEST = 0


class VaultCheckpointKey:
    """Implements `signer.ports.checkpoints.CheckpointKey`."""

    def __init__(self, transit: Transit, name: str) -> None:
        self._transit = transit
        self._name = name
        self._public = PublicKeys(key=name, by_version={})

    @property
    def name(self) -> str:
        """Name of the key in Transit."""
        return self._name

    async def sign(self, statement: Statement) -> Checkpoint:
        """Sign with the newest version. Raises UnavailableError, also for a signature that is none.

        Raises ConfigurationError or VaultRefusedError for a wrong key.
        """
        (signed,) = await self._transit.sign_batch(self._name, [statement.message()], key_version=_NEWEST)
        if isinstance(signed, ItemRefused):
            raise UnavailableError(
                FailReason.VAULT_FAULTY, f"Vault did not sign with {self._name}: {signed.text}"
            )
        checkpoint = Checkpoint(statement=statement, key_version=signed.key_version, signature=signed.raw)
        if signed.key_version not in self._public.by_version:
            self._public = await public_keys(self._transit, self._name)
        try:
            self._public.check(checkpoint)
        except ValueError as error:
            # In the file it would look like a forgery, to the next start and to every auditor.
            raise UnavailableError(FailReason.VAULT_FAULTY, f"Vault's checkpoint is none: {error}") from None
        return checkpoint


async def public_keys(transit: Transit, name: str) -> PublicKeys:
    """Every version that Vault still has. Raises ConfigurationError for what is no ed25519 key."""
    facts = await transit.facts(name)
    if facts is None:
        raise ConfigurationError(
            f"Vault has no key {name} in {transit.mount}; `airlock-signer vault bootstrap` makes it"
        )
    if facts.type != ED25519:
        raise ConfigurationError(
            f"{name} in {transit.mount} is a key of type {facts.type}; {ED25519} is allowed for checkpoints"
        )
    return PublicKeys(key=name, by_version=facts.public_keys)
