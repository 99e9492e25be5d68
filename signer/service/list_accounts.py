"""ListAccounts: what this client may use. Accounts without a grant do not exist for it."""

from dataclasses import dataclass

from signer.domain.accounts import ChainName
from signer.service.accounts import Accounts, AccountView
from signer.service.clients import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedAccount:
    """An account with the methods that the client may call for it."""

    view: AccountView
    methods: tuple[str, ...]


class ListAccounts:
    """Lists accounts."""

    def __init__(self, *, accounts: Accounts) -> None:
        self._accounts = accounts

    async def __call__(self, client: Client, chain: ChainName | None) -> tuple[GrantedAccount, ...]:
        """Accounts of `chain` (None for all) that the client has any grant for."""
        return tuple(
            GrantedAccount(view=view, methods=tuple(sorted(client.grants[account])))
            for account in self._accounts.ids()
            if client.grants.get(account)
            and (view := self._accounts.view(account)).account.chain == (chain or view.account.chain)
        )
