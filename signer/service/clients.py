"""Who asks, and what that client may ask. Implicit deny: only a grant says yes."""

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from enum import StrEnum

from signer.domain.accounts import AccountId
from signer.domain.errors import SignerError
from signer.domain.transactions import ClientName


class Role(StrEnum):
    """Which of the two services a client may call at all."""

    TRADER = "trader"
    ADMIN = "admin"


class NotGrantedError(SignerError):
    """The client has no grant for this account and method. Says nothing about whether the account exists."""

    def __init__(self, client: ClientName, method: str, account: AccountId | None) -> None:
        super().__init__(f"{client} has no grant for {method} on {account or 'this service'}")
        self.method = method
        self.account = account


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """An authenticated client.

    `name` is the one URI or DNS SAN of its certificate; `grants` holds the methods it may call, by account.
    """

    name: ClientName
    role: Role
    grants: MutableMapping[AccountId, frozenset[str]] = field(default_factory=dict)

    def require(self, method: str, account: AccountId) -> None:
        """Raise NotGrantedError unless this client may call `method` for `account`."""
        if method not in self.grants.get(account, frozenset()):
            raise NotGrantedError(self.name, method, account)

    def inherit(self, old: AccountId, new: AccountId) -> None:
        """May call for the new account what it may for the old one; a grant of its own for it wins."""
        if old in self.grants:
            self.grants.setdefault(new, self.grants[old])

    def require_role(self, role: Role, method: str) -> None:
        """Raise NotGrantedError unless this client has the role."""
        if self.role is not role:
            raise NotGrantedError(self.name, method, None)

    def may(self, method: str, account: AccountId) -> bool:
        """Whether `require` would agree."""
        return method in self.grants.get(account, frozenset())
