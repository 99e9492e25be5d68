"""What `doctor` looks at in Vault: the node, the login, the keys. Uses up no secret id."""

from signer.adapters.vault.connection import Connection
from signer.adapters.vault.errors import unavailable
from signer.adapters.vault.exchange import Exchange
from signer.domain.errors import ConfigurationError
from signer.domain.reasons import FailReason
from signer.domain.time import MS_PER_S
from signer.ports.clock import Clock
from signer.settings import Settings, VaultSettings
from signer.vault_access import open_vault, target_of, vault_backend


class _NoLog:
    def event(self, name: str, **fields: object) -> None:
        """Nobody listens."""


async def vault_node(settings: VaultSettings) -> str:
    """Whether the node answers, is unsealed and is the active one. Raises SignerError when it does not."""
    connection = Connection(target_of(settings))
    try:
        health = await Exchange(connection).node_health()
    finally:
        connection.close()
    seen = f"{connection.target.where}: version {health.version}"
    if not health.initialized:
        raise ConfigurationError(f"{seen}, not initialised: see vault/runbooks for the first set-up")
    if health.sealed:
        raise unavailable(FailReason.VAULT_SEALED, seen)
    if health.standby:
        raise unavailable(FailReason.VAULT_STANDBY, seen)
    return f"{seen}, unsealed, active"


async def vault_login(settings: VaultSettings, clock: Clock) -> str:
    """Whether a login works and how long its token lives; it is revoked at once. Raises SignerError.

    A wrapped secret id is good for one login, which the signer needs itself: only the file is looked at.
    """
    if (approle := settings.login.approle) is not None:
        file = approle.secret_id_file
        return (
            f"a wrapped secret id waits in {file}"
            if file.exists()
            else f"AppRole: no secret id waits in {file}; the next start of the signer needs one"
        )
    async with open_vault(settings, clock=clock, log=_NoLog(), patience_ms=0) as session:
        lease = session.lease
        ends_at = None if lease is None else lease.ends_at
        if ends_at is None:
            raise ConfigurationError("the token never ends: give the role a token_ttl")
        return f"works; a token lives {(ends_at - clock.now()) // MS_PER_S} s"


async def vault_keys(settings: Settings, vault: VaultSettings, clock: Clock) -> str:
    """Whether every key in Vault is there, pinned, and cannot leave. Raises SignerError."""
    if vault.login.approle is not None:
        return "not looked at: the one login of a secret id is the signer's; it looks at its start"
    async with open_vault(vault, clock=clock, log=_NoLog(), patience_ms=0) as session:
        held = await vault_backend(settings, vault, session).accounts()
    return f"holds the pinned key of {len(held)} accounts"
