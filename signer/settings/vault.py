"""The [vault] table: where Vault is, how the signer logs in, what lies where. Holds files, no credential."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from signer.settings.texts import FilePath, SanText, Strict, is_loopback

_KV = "kv"
_FILE = "file:"


def _address(text: str) -> str:
    allowed = "allowed is https://host[:port]"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"this is no address of a Vault; {allowed}") from None
    # A password in the address would not be quoted by any error of ours, and neither is the text here.
    if parts.scheme not in {"https", "http"} or not parts.hostname or port == 0:
        raise ValueError(f"this is no address of a Vault; {allowed}")
    if parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"an address has no user, path, query or fragment; {allowed}")
    return text.rstrip("/")


def _envelopes(text: str) -> str:
    if text != _KV and not (text.startswith(_FILE) and text.removeprefix(_FILE)):
        raise ValueError(f'{text[:80]!r} is no place for envelopes; allowed are "kv" and "file:FOLDER"')
    return text


AddressText: TypeAlias = Annotated[str, AfterValidator(_address)]
EnvelopesText: TypeAlias = Annotated[str, AfterValidator(_envelopes)]
MountText: TypeAlias = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*(/[A-Za-z0-9][A-Za-z0-9_.\-]*)*$", max_length=128)
]
HostText: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:\-]+$", max_length=253)]
NameText: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", max_length=128)]


class AppRoleSettings(Strict):
    """AppRole. `secret_id_file` holds a wrapping token: the secret id itself is never on disk."""

    mount: MountText = "approle"
    role_id: str = Field(min_length=1, max_length=256)
    secret_id_file: FilePath


class CertificateSettings(Strict):
    """Login by TLS client certificate; `role` is its name there. Changed files are taken over."""

    mount: MountText = "cert"
    role: NameText
    certificate: FilePath
    key: FilePath


class JwtSettings(Strict):
    """Login by a token file that somebody else keeps fresh (Kubernetes, a JWT of another kind)."""

    mount: MountText = "kubernetes"
    role: NameText
    token_file: FilePath


class LoginSettings(Strict):
    """One way to log in."""

    approle: AppRoleSettings | None = None
    certificate: CertificateSettings | None = None
    jwt: JwtSettings | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(list(self._given())) != 1:
            raise ValueError("exactly one of approle, certificate and jwt is allowed")
        return self

    def _given(self) -> Iterator[Strict]:
        return (each for each in (self.approle, self.certificate, self.jwt) if each is not None)


class VaultPlace(Strict):
    """Where Vault is, and what lies where in it: [vault] as far as a person's command needs it."""

    address: AddressText
    ca: FilePath | None = None
    namespace: str = Field(default="", pattern=r"^[A-Za-z0-9_.\-/]*$", max_length=256)
    timeout_ms: int = Field(default=2_000, ge=50, le=60_000)
    unsafe_plaintext: bool = False
    transit_mount: MountText = "transit"
    kv_mount: MountText = "airlock"
    wrapping_key: NameText = "airlock-envelopes"
    envelopes: EnvelopesText = _KV
    checkpoint_key: NameText | None = None
    checkpoint_every_records: int = Field(default=1_000, ge=1, le=1_000_000)
    checkpoint_every_s: int = Field(default=3_600, ge=1, le=86_400)

    @property
    def envelope_folder(self) -> Path | None:
        """Folder of the envelopes, or None when they are in KV."""
        return None if self.envelopes == _KV else Path(self.envelopes.removeprefix(_FILE))

    @model_validator(mode="after")
    def _plaintext_is_said(self) -> Self:
        parts = urlsplit(self.address)
        if parts.scheme == "https":
            if self.ca is None:
                raise ValueError('https needs ca = "FILE": only a certificate of that authority is believed')
        elif not self.unsafe_plaintext or not is_loopback(parts.hostname or ""):
            raise ValueError("http shows every token; allowed only on loopback with unsafe_plaintext = true")
        return self


class VaultSettings(VaultPlace):
    """The whole of [vault]."""

    login: LoginSettings

    @model_validator(mode="after")
    def _certificate_is_shown_in_tls(self) -> Self:
        if self.login.certificate is not None and urlsplit(self.address).scheme != "https":
            raise ValueError("login by certificate needs an https address")
        return self


class VaultCertificateSettings(Strict):
    """The server's certificate out of Vault's PKI engine, renewed at two thirds of `ttl_s`."""

    mount: MountText = "airlock-pki"
    role: NameText = "signer-server"
    common_name: str = Field(default="signer", pattern=r"^[A-Za-z0-9][A-Za-z0-9.\-]{0,63}$")
    uri: SanText
    hosts: tuple[HostText, ...] = Field(default=(), strict=False)
    ttl_s: int = Field(default=7 * 86_400, ge=60, le=90 * 86_400)


class VaultKeySettings(Strict):
    """A Transit ed25519 key of a Solana account. The version is pinned: another one is another address."""

    key: NameText
    key_version: int = Field(ge=1, le=1_000_000)
