"""Every reference to a secret, whatever it points to. Needs Vault's driver only for a configured Vault."""

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pydantic import SecretStr
from typing_extensions import override

from trader.adapters.secrets.files import read_secret_file
from trader.domain.errors import ConfigurationError
from trader.domain.secret_refs import FileReference, SecretReference
from trader.ports.clock import Clock
from trader.settings import Settings, VaultLoginSettings, VaultSettings

if TYPE_CHECKING:
    from trader.adapters.secrets.client_certificate import ClientCertificate
    from trader.adapters.secrets.vault import VaultSecrets
    from trader.adapters.secrets.vault_login import VaultLogin


class Resolver(AbstractAsyncContextManager["Resolver"]):
    """Implements the Secrets port. Files are read each time, so a changed file counts at once."""

    def __init__(self, vault: "VaultSecrets | None" = None) -> None:
        self._vault = vault

    async def current(self, reference: SecretReference) -> SecretStr:
        """See the port."""
        if isinstance(reference, FileReference):
            return read_secret_file(reference.path)
        if self._vault is None:
            raise ConfigurationError("a vault: reference needs the [vault] table in the settings")
        return await self._vault.current(reference)

    @override
    async def __aenter__(self) -> Self:
        return self

    @override
    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._vault is not None:
            await self._vault.close()


def vault_secrets(settings: VaultSettings, clock: Clock) -> "VaultSecrets":
    """The Vault of the settings. Raises ConfigurationError when the extra `vault` is not installed."""
    try:
        from trader.adapters.secrets.vault import VaultSecrets  # noqa: PLC0415 - an extra of its own
        from trader.adapters.secrets.vault_client import VaultPlace  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"vault: {error.name} is missing; install it with `pip install airlock[trader,vault]`"
        ) from None
    place = VaultPlace(
        address=settings.address,
        ca_file=settings.ca_file,
        namespace=settings.namespace,
        timeout_ms=settings.timeout_ms,
    )
    return VaultSecrets(place, _login(settings.login), clock, read_every_ms=settings.read_every_ms)


def own_certificate(settings: Settings, vault: "VaultSecrets", clock: Clock) -> "ClientCertificate | None":
    """The certificate of ours that Vault renews; None when the settings have none."""
    from trader.adapters.secrets.client_certificate import (  # noqa: PLC0415 - an extra of its own
        ClientCertificate,
        PairFiles,
    )

    wanted = None if settings.vault is None else settings.vault.certificate
    files = settings.signer
    if wanted is None or files.cert_file is None or files.key_file is None:
        return None
    return ClientCertificate(vault, wanted, PairFiles(certificate=files.cert_file, key=files.key_file), clock)


def _login(ways: VaultLoginSettings) -> "VaultLogin":
    from trader.adapters.secrets import vault_login as logins  # noqa: PLC0415 - as above

    if (by := ways.certificate) is not None:
        return logins.CertificateLogin(
            mount=by.mount, role=by.role, cert_file=by.cert_file, key_file=by.key_file
        )
    if (jwt := ways.jwt) is not None:
        return logins.JwtLogin(mount=jwt.mount, role=jwt.role, token_file=jwt.token_file)
    if (approle := ways.approle) is not None:
        return logins.AppRoleLogin(
            mount=approle.mount, role_id=approle.role_id, secret_id_file=approle.secret_id_file
        )
    raise AssertionError("unreachable: the settings have exactly one login")
