"""The Vault that the settings name, opened: for the app and for commands. Adds nothing to what it is told."""

import secrets
from contextlib import AbstractAsyncContextManager
from random import Random

from signer.adapters.vault.api import VaultApi
from signer.adapters.vault.backend import SolanaPin, VaultKey, VaultKeyBackend
from signer.adapters.vault.certificate_keeper import CertificateFiles, CertificateKeeper
from signer.adapters.vault.connection import Target
from signer.adapters.vault.envelopes import open_store
from signer.adapters.vault.login.approle import AppRole, AppRoleLogin
from signer.adapters.vault.login.certificate import CertificateLogin, ClientCertificate
from signer.adapters.vault.login.jwt import JwtLogin, TokenFile
from signer.adapters.vault.login.port import Login
from signer.adapters.vault.pki import CertificateWanted
from signer.adapters.vault.session import VaultSession, open_session
from signer.adapters.vault.transit import Transit
from signer.domain.errors import ConfigurationError
from signer.ports.clock import Clock
from signer.ports.events import EventLog
from signer.settings import AccountSettings, LoginSettings, Settings, TlsSettings, VaultSettings

_RANDOM_BITS = 64
_PATIENCE_MS = 10_000


def open_vault(
    settings: VaultSettings, *, clock: Clock, log: EventLog, patience_ms: int | None = None
) -> AbstractAsyncContextManager[VaultSession]:
    """A session that is logged in as the settings say. Raises as `open_session`."""
    return open_session(
        target_of(settings),
        login_of(settings.login, log),
        clock=clock,
        log=log,
        chance=Random(secrets.randbits(_RANDOM_BITS)),  # noqa: S311 - spreads pauses, guards nothing
        patience_ms=_PATIENCE_MS if patience_ms is None else patience_ms,
    )


def target_of(settings: VaultSettings) -> Target:
    """Where Vault is."""
    return Target(
        address=settings.address,
        ca=settings.ca,
        namespace=settings.namespace,
        timeout_ms=settings.timeout_ms,
    )


def login_of(settings: LoginSettings, log: EventLog) -> Login:
    """The one way to log in that is configured."""
    if (approle := settings.approle) is not None:
        options = AppRole(mount=approle.mount, role_id=approle.role_id, secret_id_file=approle.secret_id_file)
        return AppRoleLogin(options, log)
    if (cert := settings.certificate) is not None:
        return CertificateLogin(
            ClientCertificate(mount=cert.mount, role=cert.role, certificate=cert.certificate, key=cert.key)
        )
    if (jwt := settings.jwt) is not None:
        return JwtLogin(TokenFile(mount=jwt.mount, role=jwt.role, token_file=jwt.token_file))
    raise ConfigurationError("vault.login: exactly one of approle, certificate and jwt is allowed")


def certificate_keeper(
    tls: TlsSettings, api: VaultApi, *, clock: Clock, log: EventLog
) -> CertificateKeeper | None:
    """What renews the server's certificate; None when the settings do not leave it to Vault."""
    wanted = server_certificate(tls)
    if wanted is None:
        return None
    return CertificateKeeper(
        vault=api,
        wanted=wanted,
        files=CertificateFiles(certificate=tls.certificate, key=tls.key, revocation_list=tls.revocation_list),
        clock=clock,
        log=log,
    )


def server_certificate(tls: TlsSettings) -> CertificateWanted | None:
    """The certificate that the settings leave to Vault, or None."""
    wanted = tls.vault
    if wanted is None:
        return None
    return CertificateWanted(
        mount=wanted.mount,
        role=wanted.role,
        common_name=wanted.common_name,
        uri=wanted.uri,
        hosts=wanted.hosts,
        ttl_s=wanted.ttl_s,
    )


def vault_backend(settings: Settings, vault: VaultSettings, api: VaultApi) -> VaultKeyBackend:
    """The backend for the accounts whose keys are in this Vault."""
    return VaultKeyBackend(
        keys=[_key(each) for each in settings.accounts if each.backend == "vault"],
        transit=Transit(api, vault.transit_mount),
        envelopes=open_store(vault.envelopes, api, kv_mount=vault.kv_mount),
        wrapping_key=vault.wrapping_key,
    )


def _key(account: AccountSettings) -> VaultKey:
    pin = account.vault
    solana = None if pin is None else SolanaPin(key=pin.key, key_version=pin.key_version)
    return VaultKey(account=account.account_id, solana=solana)
