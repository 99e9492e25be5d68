"""What a Vault should hold: a folder's `airlock.toml` and policies, parsed whole or refused. No wildcard."""

import ipaddress
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from signer.domain.errors import ConfigurationError

LAYOUT = "airlock.toml"
POLICIES = "policies"
_NAME = r"^[a-z0-9][a-z0-9-]{0,60}$"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MAX_FILE_BYTES = 256 * 1024


def load(folder: Path) -> "Wanted":
    """Read `airlock.toml` and `policies/*.hcl` of a folder.

    Raises ConfigurationError naming the file, the place and what is allowed.
    """
    layout = folder / LAYOUT
    try:
        parsed = Layout.model_validate(tomllib.loads(_text(layout)))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{layout}: not TOML: {error}") from error
    except ValidationError as error:
        problems = (
            f"{layout}: {'.'.join(map(str, item['loc']))}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError("\n".join(problems)) from None
    policies = {path.stem: _text(path) for path in sorted((folder / POLICIES).glob("*.hcl"))}
    for role in parsed.approles:
        if role.policy not in policies:
            raise ConfigurationError(
                f"{layout}: AppRole {role.name}: there is no {folder / POLICIES / role.policy}.hcl; "
                f"allowed are {', '.join(policies) or 'the names of files there'}"
            )
    return Wanted(layout=parsed, policies=policies)


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    if len(raw) > _MAX_FILE_BYTES:
        raise ConfigurationError(f"{path}: {len(raw)} bytes; at most {_MAX_FILE_BYTES} are allowed")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 text") from error


def _seconds(value: object) -> int:
    found = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('no duration; allowed is a number with its unit, such as "90s", "15m", "72h", "30d"')
    return int(found[1]) * _UNITS[found[2]]


def _network(value: object) -> str:
    try:
        return str(ipaddress.ip_network(str(value)))
    except ValueError:
        raise ValueError('no network; allowed is an address with its length, such as "10.0.0.5/32"') from None


Seconds: TypeAlias = Annotated[int, BeforeValidator(_seconds)]
Network: TypeAlias = Annotated[str, BeforeValidator(_network)]
Name: TypeAlias = Annotated[str, Field(pattern=_NAME)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Audit(_Strict):
    """An audit device; `options` as Vault names them, all of them text."""

    path: Name
    type: Literal["file", "syslog", "socket"]
    options: dict[str, str]


class Mount(_Strict):
    """A secrets engine; `version` is that of KV, `max_lease` the longest life of what it issues."""

    path: Name
    type: Literal["transit", "kv", "pki"]
    version: Literal["2"] | None = None
    max_lease: Seconds | None = None


class Key(_Strict):
    """A Transit key that is there from the beginning. `derived`: one key per context (ADR 0042)."""

    mount: Name
    name: Name
    type: Literal["aes256-gcm96", "ed25519"]
    derived: bool = False


class AppRole(_Strict):
    """One program's login: its only policy, and how long what it is given lives."""

    name: Name
    policy: Name
    token_ttl: Seconds
    token_max_ttl: Seconds
    secret_id_ttl: Seconds
    secret_id_uses: Annotated[int, Field(ge=1, le=10)]
    bound_cidrs: list[Network]


class PkiRole(_Strict):
    """What one kind of certificate may say: exactly this URI, and these host names."""

    name: Name
    uri: Annotated[str, Field(pattern=r"^spiffe://[a-z0-9./-]+$")]
    domains: list[str] = Field(default_factory=list)
    ip_addresses: bool = False
    usage: Literal["server", "client"]
    ttl: Seconds
    max_ttl: Seconds


class Pki(_Strict):
    """The authority and its roles."""

    mount: Name
    common_name: str
    ttl: Seconds
    crl_expiry: Seconds
    roles: list[PkiRole]


class Layout(_Strict):
    """All of `airlock.toml`."""

    audit: Annotated[list[Audit], Field(min_length=1)]
    mounts: list[Mount]
    keys: list[Key]
    approles: list[AppRole]
    pki: Pki


class Wanted(_Strict):
    """The whole folder; `policies` is HCL by name."""

    layout: Layout
    policies: dict[str, str]
