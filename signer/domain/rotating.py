"""Things that have an age and are rotated: keys, accounts, credentials, certificates. No secret in it."""

from dataclasses import dataclass
from enum import StrEnum

from signer.domain.time import UnixMs


class Rotating(StrEnum):
    """Everything that has an age. The value is the label in metrics."""

    WRAPPING_KEY = "wrapping_key"
    ACCOUNT = "account"
    CHECKPOINT_KEY = "checkpoint_key"
    CHECKPOINT = "audit_checkpoint"
    VAULT_TOKEN = "vault_token"  # noqa: S105 - a name, not a secret
    VAULT_CREDENTIAL = "vault_credential"
    SERVER_CERTIFICATE = "server_certificate"
    CLIENT_AUTHORITY = "client_authority"
    REVOCATION_LIST = "revocation_list"
    POLICY = "policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that rotates, as it is now. `since` is when it began; `ends` when it stops to work by itself.

    `due` is set when whoever told us knows better than a limit. `problem` says why nothing else is known.
    """

    what: Rotating
    name: str
    since: UnixMs | None = None
    ends: UnixMs | None = None
    due: UnixMs | None = None
    problem: str = ""
