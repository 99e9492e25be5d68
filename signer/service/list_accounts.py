"""ListAccounts: what this client may use. Accounts without a grant do not exist for it."""

import asyncio
from dataclasses import dataclass

from signer.domain.accounts import ChainName
from signer.service.accounts import Accounts, AccountView
from signer.service.clients import Client
from signer.service.wallets.readiness import NotReady, Readiness


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedAccount:
    """An account with the methods that the client may call for it, and why it would not sign now."""

    view: AccountView
    methods: tuple[str, ...]
    not_ready: NotReady | None


class ListAccounts:
    """Lists accounts."""

    def __init__(self, *, accounts: Accounts, readiness: Readiness) -> None:
        self._accounts = accounts
        self._readiness = readiness

    async def __call__(self, client: Client, chain: ChainName | None) -> tuple[GrantedAccount, ...]:
        """Accounts of `chain` (None for all) that the client has any grant for."""
        views = [
            view
            for account in self._accounts.ids()
            if client.grants.get(account)
            and (view := self._accounts.view(account)).account.chain == (chain or view.account.chain)
        ]
        # Beside each other: a look at a device that does not answer takes seconds.
        not_ready = await asyncio.gather(*(self._readiness.why_not(view.account.id) for view in views))
        return tuple(
            GrantedAccount(
                view=view, methods=tuple(sorted(client.grants[view.account.id])), not_ready=problem
            )
            for view, problem in zip(views, not_ready, strict=True)
        )
