"""The tables of `signer.toml` and what must fit together. Holds no secret: keys and credentials are files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from signer.domain.accounts import AccountId, ChainName, chain_of
from signer.domain.errors import ConfigurationError
from signer.domain.guardian import GuardianName
from signer.domain.transactions import ClientName
from signer.domain.wallets import ALWAYS, Condition
from signer.settings.devices import LedgerKeySettings, LedgerSettings, TrezorKeySettings, TrezorSettings
from signer.settings.paths import absolute
from signer.settings.rotation import RotationSettings
from signer.settings.texts import (
    AccountText,
    ChainText,
    FilePath,
    GuardianText,
    Listen,
    MethodText,
    SanText,
    Strict,
    is_loopback,
    unique,
)
from signer.settings.vault import VaultCertificateSettings, VaultKeySettings, VaultSettings
from signer.settings.when import WhenSettings

_CREDENTIALS_FILE = "file:"


class TlsSettings(Strict):
    """PEM files of the server. `client_ca` signs clients; `revocation_list` is a CRL of that authority.

    With `vault`, certificate, key and revocation list are written by the signer itself.
    """

    certificate: FilePath
    key: FilePath
    client_ca: FilePath
    revocation_list: FilePath | None = None
    vault: VaultCertificateSettings | None = None


class UnixSocketSettings(Strict):
    """A socket without TLS. Whoever may open the file is `client`; the folder's mode is the only guard."""

    path: FilePath
    client: SanText


class ChainSettings(Strict):
    """The signer's own node. `rpc_url` is an http(s) URL, or `file:PATH` when the URL is a credential."""

    id: ChainText
    rpc_url: str = Field(repr=False, min_length=1)
    head_max_age_ms: int = Field(default=250, ge=1, le=10_000)
    timeout_ms: int = Field(default=2_000, ge=10, le=60_000)

    @property
    def name(self) -> ChainName:
        """CAIP-2."""
        return ChainName(self.id)

    def url(self) -> str:
        """Return the URL itself. Raises ConfigurationError when the file that holds it cannot be read."""
        if not self.rpc_url.startswith(_CREDENTIALS_FILE):
            return self.rpc_url
        path = Path(self.rpc_url.removeprefix(_CREDENTIALS_FILE))
        try:
            return path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"{path}: cannot be read; allowed is a file with one http(s) URL"
            ) from error


class DevKeySettings(Strict):
    """The development key: the public test mnemonic at an index, or a 0600 file of 64 hex digits."""

    mnemonic_index: int | None = Field(default=None, ge=0, le=2**31 - 1)
    key_file: FilePath | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.mnemonic_index is None) == (self.key_file is None):
            raise ValueError("exactly one of mnemonic_index and key_file is allowed")
        return self


class AccountSettings(Strict):
    """One account and the backend that holds its key. Its address is pinned by `id`.

    `when` says when it is its turn in its wallet.
    """

    id: AccountText
    wallet: str = Field(pattern=r"^[a-z0-9][a-z0-9_\-]{0,39}$")
    backend: Literal["dev", "vault", "ledger", "trezor"]
    dev: DevKeySettings | None = None
    vault: VaultKeySettings | None = None
    ledger: LedgerKeySettings | None = None
    trezor: TrezorKeySettings | None = None
    when: WhenSettings | None = None

    @property
    def account_id(self) -> AccountId:
        """CAIP-10, canonical."""
        return AccountId(self.id)

    @property
    def condition(self) -> Condition:
        """When it is its turn."""
        return ALWAYS if self.when is None else self.when.to_condition()

    @model_validator(mode="after")
    def _when_fits(self) -> Self:
        if self.when is None:
            return self
        if self.when.device_ready is not None and self.backend not in {"ledger", "trezor"}:
            raise ValueError(f'when.device_ready: backend = "{self.backend}" has no device to be ready')
        if self.when.amounts and not self.id.startswith("eip155:"):
            raise ValueError("when.amounts: only trades of EVM accounts are understood yet")
        return self

    @model_validator(mode="after")
    def _device_has_its_table(self) -> Self:
        for kind, table in (("ledger", self.ledger), ("trezor", self.trezor)):
            if (self.backend == kind) != (table is not None):
                text = f'backend = "{kind}" and {kind} = {{ device = "…", path = "m/…" }} belong together'
                raise ValueError(text)
        return self

    @model_validator(mode="after")
    def _backend_has_its_table(self) -> Self:
        if self.backend in {"ledger", "trezor"}:
            if self.dev is not None or self.vault is not None:
                raise ValueError(f'backend = "{self.backend}" has no table dev and no table vault')
            return self
        if self.backend == "dev":
            if self.dev is None:
                raise ValueError(
                    'backend = "dev" needs dev = { mnemonic_index = N } or dev = { key_file = "…" }'
                )
            if self.vault is not None:
                raise ValueError('backend = "dev" has no table vault')
            return self
        if self.dev is not None:
            raise ValueError('backend = "vault" has no table dev')
        if self.id.startswith("solana:") and self.vault is None:
            raise ValueError('a Solana account in Vault needs vault = { key = "…", key_version = N }')
        if self.id.startswith("eip155:") and self.vault is not None:
            raise ValueError("an EVM account in Vault has no table vault: its envelope is found by its id")
        return self


class GrantSettings(Strict):
    """Methods that a client may call for one account."""

    account: AccountText
    methods: tuple[MethodText, ...] = Field(min_length=1, strict=False)


class ClientSettings(Strict):
    """One client: the one URI or DNS SAN of its certificate, its role, and its grants."""

    san: SanText
    role: Literal["trader", "admin"]
    grants: tuple[GrantSettings, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _one_table_per_account(self) -> Self:
        unique((grant.account for grant in self.grants), "grants for account")
        return self

    def methods_by_account(self) -> Mapping[AccountId, frozenset[str]]:
        """Grants as a look-up."""
        return {AccountId(grant.account): frozenset(grant.methods) for grant in self.grants}


class LimitSettings(Strict):
    """Bounds of the process itself, not of the money (that is the policy).

    `follow_interval_ms` is how often the chain is looked at; a signature that took longer than
    `recheck_after_ms` is judged again before it is used.
    """

    max_in_flight: int = Field(default=1_024, ge=1, le=4_096)
    max_watchers: int = Field(default=64, ge=1, le=1_024)
    drain_timeout_s: int = Field(default=15, ge=0, le=300)
    max_connection_age_s: int = Field(default=3_600, ge=1, le=86_400)
    follow_interval_ms: int = Field(default=1_000, ge=10, le=60_000)
    recheck_after_ms: int = Field(default=2_000, ge=0, le=60_000)


class Settings(Strict):
    """The whole of signer.toml."""

    listen: Listen
    tls: TlsSettings
    ledger: FilePath
    audit: FilePath
    policy: FilePath
    guardian: GuardianText | None = None
    admin_listen: Listen | None = None
    unsafe_plaintext_unix_socket: UnixSocketSettings | None = None
    reflection: bool = False
    metrics_listen: Listen | None = None
    unsafe_metrics_beyond_loopback: bool = False
    limits: LimitSettings = LimitSettings()
    chains: tuple[ChainSettings, ...] = Field(min_length=1, strict=False)
    accounts: tuple[AccountSettings, ...] = Field(min_length=1, strict=False)
    clients: tuple[ClientSettings, ...] = Field(min_length=1, strict=False)
    vault: VaultSettings | None = None
    rotation: RotationSettings = RotationSettings()
    ledgers: tuple[LedgerSettings, ...] = Field(default=(), strict=False)
    trezors: tuple[TrezorSettings, ...] = Field(default=(), strict=False)

    @model_validator(mode="before")
    @classmethod
    def _paths_from_folder(cls, document: object, info: ValidationInfo[dict[str, Path] | None]) -> object:
        folder = (info.context or {}).get("folder")
        return document if folder is None else absolute(document, folder)

    @model_validator(mode="after")
    def _metrics_stay_here(self) -> Self:
        listen = self.metrics_listen
        if listen is None or self.unsafe_metrics_beyond_loopback:
            return self
        if not is_loopback(listen.rpartition(":")[0]):
            raise ValueError(
                f"metrics_listen {listen!r}: the page has no login; allowed is a loopback address, or any "
                "with unsafe_metrics_beyond_loopback = true"
            )
        return self

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        unique((chain.id for chain in self.chains), "chains with id")
        unique((account.id for account in self.accounts), "accounts with id")
        unique((client.san for client in self.clients), "clients with san")
        chains = {chain.name for chain in self.chains}
        accounts = {account.account_id for account in self.accounts}
        for account in accounts:
            if chain_of(account) not in chains:
                raise ValueError(
                    f"account {account} needs a [[chains]] table with id = {chain_of(account)!r}"
                )
        granted = {grant.account for client in self.clients for grant in client.grants}
        if stray := sorted(granted - accounts):
            raise ValueError(f"grants name {stray[0]}, which is no account of this file")
        if self.vault is None and (kept := [each.id for each in self.accounts if each.backend == "vault"]):
            raise ValueError(f"account {kept[0]} is in Vault: it needs a [vault] table")
        if self.vault is None and self.tls.vault is not None:
            raise ValueError("tls.vault: a certificate out of Vault needs a [vault] table")
        socket = self.unsafe_plaintext_unix_socket
        if socket is not None and socket.client not in {client.san for client in self.clients}:
            raise ValueError(
                f"unsafe_plaintext_unix_socket.client {socket.client!r} is no client of this file"
            )
        return self

    @model_validator(mode="after")
    def _devices_agree(self) -> Self:
        unique((device.name for device in self.ledgers), "ledgers with name")
        unique((device.where for device in self.ledgers), "ledgers with where")
        names = {device.name for device in self.ledgers}
        for account in self.accounts:
            if account.ledger is not None and account.ledger.device not in names:
                raise ValueError(
                    f"account {account.id} needs a [[ledgers]] table with name = {account.ledger.device!r}"
                )
        unique((device.name for device in self.trezors), "trezors with name")
        unique((device.where for device in self.trezors), "trezors with where")
        of_all = [*(each.name for each in self.ledgers), *(each.name for each in self.trezors)]
        unique(of_all, "devices with name")
        locks = [*(each.lock_file for each in self.ledgers), *(each.lock_file for each in self.trezors)]
        unique(map(str, locks), "devices with lock_file")
        names = {device.name for device in self.trezors}
        for account in self.accounts:
            if account.trezor is not None and account.trezor.device not in names:
                raise ValueError(
                    f"account {account.id} needs a [[trezors]] table with name = {account.trezor.device!r}"
                )
        return self

    @property
    def policy_guardian(self) -> GuardianName | None:
        """Whose key signs policies; None when no policy needs to be signed."""
        return None if self.guardian is None else GuardianName(self.guardian)

    def client_names(self) -> tuple[ClientName, ...]:
        """Every configured client."""
        return tuple(ClientName(client.san) for client in self.clients)
