"""What an operator configures in `signer.toml`, parsed whole or refused naming line, key and what is allowed.

The only module of the signer that touches the environment. Holds no secret: keys and credentials are files.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from signer.domain.accounts import AccountId, ChainName, chain_of, parse_account_id, parse_chain
from signer.domain.errors import ConfigurationError
from signer.domain.transactions import ClientName
from signer.policy.lines import KeyPath, Lines, spell

GRANTABLE_METHODS = frozenset(
    {
        "ListAccounts",
        "SignEvmTransaction",
        "SignSolanaTransaction",
        "Evaluate",
        "ReplaceTransaction",
        "CancelTransaction",
        "ReportBroadcast",
        "GetTransaction",
        "GetBudget",
        "WatchTransactions",
    }
)
"""Methods that a grant can name. There is no wildcard: a new method is granted on purpose."""

# An ECDSA certificate has no cipher in common with this TLS 1.2 suite, so only TLS 1.3 handshakes succeed.
_NO_TLS_1_2 = {"GRPC_SSL_CIPHER_SUITES": "ECDHE-RSA-AES256-GCM-SHA384"}
_CREDENTIALS_FILE = "file:"
_MAX_SETTINGS_BYTES = 1024 * 1024
_MAX_PORT = 65_535


def load(path: Path) -> "Settings":
    """Read `path`. Relative paths in it are relative to its folder.

    Raises ConfigurationError naming the file, the line, the key and what is allowed.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read: {error.strerror}; allowed is a TOML file"
        ) from error
    return parse(raw, path)


def parse(raw: bytes, path: Path) -> "Settings":
    """Parse the bytes of a settings file that lies (or would lie) at `path`."""
    if len(raw) > _MAX_SETTINGS_BYTES:
        raise ConfigurationError(f"{path}: {len(raw)} bytes; at most {_MAX_SETTINGS_BYTES} are allowed")
    try:
        text = raw.decode()
        document = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from error
    try:
        return Settings.model_validate(document, context={"folder": path.absolute().parent})
    except ValidationError as error:
        errors = error.errors(include_input=False, include_url=False)
        lines = Lines(text)
        inner = [item["loc"] for item in errors]
        problems = (
            f"{_place(path, item['loc'], lines)}: {_text(item['type'], item['msg'])}"
            for item in errors
            if not (item["type"] == "too_short" and _is_echo(item["loc"], inner))
        )
        raise ConfigurationError("\n".join(problems)) from None


def harden_environment() -> None:
    """Shut TLS 1.2 out of gRPC. Works only before grpc is imported for the first time."""
    os.environ.update(_NO_TLS_1_2)


def _place(path: Path, location: KeyPath, lines: Lines) -> str:
    return f"{path}:{lines.of(location) or 1}: {spell(location) or 'settings'}"


def _text(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "no such key; allowed are the keys of docs/signer.example.toml"
    return message.removeprefix("Value error, ")


def _is_echo(location: KeyPath, others: list[KeyPath]) -> bool:
    """Whether a list is only "too short" because one of its items was refused."""
    return any(len(other) > len(location) and other[: len(location)] == location for other in others)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


def _account(text: str) -> str:
    return parse_account_id(text)


def _chain(text: str) -> str:
    return parse_chain(text)


def _listen(text: str) -> str:
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isdecimal() or not 0 <= int(port) <= _MAX_PORT:
        raise ValueError(f"{text[:80]!r} is no address; allowed is host:port, port 0 to 65535")
    return text


def _method(text: str) -> str:
    if text not in GRANTABLE_METHODS:
        allowed = ", ".join(sorted(GRANTABLE_METHODS))
        raise ValueError(f"{text[:40]!r} is no method; there is no wildcard, allowed are {allowed}")
    return text


def _san(text: str) -> str:
    is_uri = re.fullmatch(r"[a-z][a-z0-9+.\-]*://[^\s]{1,200}", text)
    is_dns = re.fullmatch(r"[a-z0-9]([a-z0-9.\-]{0,250}[a-z0-9])?", text)
    if not (is_uri or is_dns):
        raise ValueError(f"{text[:80]!r} is no certificate name; allowed is one URI or lower-case DNS name")
    return text


AccountText: TypeAlias = Annotated[str, AfterValidator(_account)]
ChainText: TypeAlias = Annotated[str, AfterValidator(_chain)]
Listen: TypeAlias = Annotated[str, AfterValidator(_listen)]
SanText: TypeAlias = Annotated[str, AfterValidator(_san)]
MethodText: TypeAlias = Annotated[str, AfterValidator(_method)]
FilePath: TypeAlias = Annotated[Path, Field(strict=False)]


class TlsSettings(_Strict):
    """PEM files of the server. `client_ca` signs clients; `revocation_list` is a CRL of that authority."""

    certificate: FilePath
    key: FilePath
    client_ca: FilePath
    revocation_list: FilePath | None = None


class UnixSocketSettings(_Strict):
    """A socket without TLS. Whoever may open the file is `client`; the folder's mode is the only guard."""

    path: FilePath
    client: SanText


class ChainSettings(_Strict):
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


class DevKeySettings(_Strict):
    """The development key: the public test mnemonic at an index, or a 0600 file of 64 hex digits."""

    mnemonic_index: int | None = Field(default=None, ge=0, le=2**31 - 1)
    key_file: FilePath | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.mnemonic_index is None) == (self.key_file is None):
            raise ValueError("exactly one of mnemonic_index and key_file is allowed")
        return self


class AccountSettings(_Strict):
    """One account and the backend that holds its key. Its address is pinned by `id`."""

    id: AccountText
    wallet: str = Field(pattern=r"^[a-z0-9][a-z0-9_\-]{0,39}$")
    backend: Literal["dev"]
    dev: DevKeySettings | None = None

    @property
    def account_id(self) -> AccountId:
        """CAIP-10, canonical."""
        return AccountId(self.id)

    @model_validator(mode="after")
    def _backend_has_its_table(self) -> Self:
        if self.dev is None:
            raise ValueError('backend = "dev" needs dev = { mnemonic_index = N } or dev = { key_file = "…" }')
        return self


class GrantSettings(_Strict):
    """Methods that a client may call for one account."""

    account: AccountText
    methods: tuple[MethodText, ...] = Field(min_length=1, strict=False)


class ClientSettings(_Strict):
    """One client: the one URI or DNS SAN of its certificate, its role, and its grants."""

    san: SanText
    role: Literal["trader", "admin"]
    grants: tuple[GrantSettings, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _one_table_per_account(self) -> Self:
        _unique((grant.account for grant in self.grants), "grants for account")
        return self

    def methods_by_account(self) -> Mapping[AccountId, frozenset[str]]:
        """Grants as a look-up."""
        return {AccountId(grant.account): frozenset(grant.methods) for grant in self.grants}


class LimitSettings(_Strict):
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


class Settings(_Strict):
    """The whole of signer.toml."""

    listen: Listen
    tls: TlsSettings
    ledger: FilePath
    audit: FilePath
    policy: FilePath
    admin_listen: Listen | None = None
    unsafe_plaintext_unix_socket: UnixSocketSettings | None = None
    reflection: bool = False
    limits: LimitSettings = LimitSettings()
    chains: tuple[ChainSettings, ...] = Field(min_length=1, strict=False)
    accounts: tuple[AccountSettings, ...] = Field(min_length=1, strict=False)
    clients: tuple[ClientSettings, ...] = Field(min_length=1, strict=False)

    @model_validator(mode="before")
    @classmethod
    def _paths_from_folder(cls, document: object, info: ValidationInfo[dict[str, Path] | None]) -> object:
        folder = (info.context or {}).get("folder")
        return document if folder is None else _absolute(document, folder)

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        _unique((chain.id for chain in self.chains), "chains with id")
        _unique((account.id for account in self.accounts), "accounts with id")
        _unique((client.san for client in self.clients), "clients with san")
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
        socket = self.unsafe_plaintext_unix_socket
        if socket is not None and socket.client not in {client.san for client in self.clients}:
            raise ValueError(
                f"unsafe_plaintext_unix_socket.client {socket.client!r} is no client of this file"
            )
        return self

    def client_names(self) -> tuple[ClientName, ...]:
        """Every configured client."""
        return tuple(ClientName(client.san) for client in self.clients)


_PATH_KEYS = frozenset(
    {"ledger", "audit", "policy", "certificate", "key", "client_ca", "revocation_list", "path", "key_file"}
)


def _absolute(node: object, folder: Path) -> object:
    """Resolve every path of the document against the folder of the file, before the model sees it."""
    if isinstance(node, list):
        return [_absolute(item, folder) for item in node]
    if not isinstance(node, dict):
        return node
    resolved: dict[object, object] = {}
    for key, value in node.items():
        if key in _PATH_KEYS and isinstance(value, str):
            resolved[key] = str(folder / value)
        elif key == "rpc_url" and isinstance(value, str) and value.startswith(_CREDENTIALS_FILE):
            resolved[key] = f"{_CREDENTIALS_FILE}{folder / value.removeprefix(_CREDENTIALS_FILE)}"
        else:
            resolved[key] = _absolute(value, folder)
    return resolved


def _unique(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"two {what} {name!r}; one is allowed")
        seen.add(name)
