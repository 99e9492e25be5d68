"""Secrets as a port: what a reference points at, now."""

from typing import Protocol

from pydantic import SecretStr

from trader.domain.secret_refs import SecretReference


class Secrets(Protocol):
    """Resolves references. What it returns shows itself to nobody who does not ask for it by name."""

    async def current(self, reference: SecretReference) -> SecretStr:
        """What the reference points at now.

        Raises ConfigurationError (no such file, path or field, or no right to it) or SecretsUnavailableError
        (nobody answers, and nothing that is still good is at hand).
        """
        ...
