"""What a text in `signer.toml` may be: accounts, chains, addresses, names. Refuses with what is allowed."""

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from signer.domain.accounts import parse_account_id, parse_address, parse_chain
from signer.domain.guardian import parse_guardian

GRANTABLE_METHODS = frozenset(
    {
        "ListAccounts",
        "ChooseAccount",
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

_MAX_PORT = 65_535


class Strict(BaseModel):
    """A table of the file: read-only, without unknown keys, whose errors quote no input."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


def unique(names: Iterable[str], what: str) -> None:
    """Raise ValueError when a name comes twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"two {what} {name!r}; one is allowed")
        seen.add(name)


def is_loopback(host: str) -> bool:
    """Whether this is an address of this machine only; a name is not looked up."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _account(text: str) -> str:
    return parse_account_id(text)


def _chain(text: str) -> str:
    return parse_chain(text)


def _evm_address(text: str) -> str:
    return parse_address(text)


def _guardian(text: str) -> str:
    return parse_guardian(text)


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
EvmAddressText: TypeAlias = Annotated[str, AfterValidator(_evm_address)]
GuardianText: TypeAlias = Annotated[str, AfterValidator(_guardian)]
Listen: TypeAlias = Annotated[str, AfterValidator(_listen)]
SanText: TypeAlias = Annotated[str, AfterValidator(_san)]
MethodText: TypeAlias = Annotated[str, AfterValidator(_method)]
FilePath: TypeAlias = Annotated[Path, Field(strict=False)]
