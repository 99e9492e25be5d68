"""WatchTransactions: life-cycle changes and pauses as they happen.

For the accounts that the client has a grant for.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeAlias

from signer.domain.accounts import AccountId
from signer.domain.errors import UnavailableError
from signer.domain.events import Cursor, TransactionEvent
from signer.domain.reasons import FailReason
from signer.ports.ledger import Ledger
from signer.service.accounts import Accounts, AccountView
from signer.service.approvals.approval import ApprovalView
from signer.service.approvals.approvals import Approvals
from signer.service.clients import Client

METHOD = "WatchTransactions"
_WAITING = 64

Change: TypeAlias = TransactionEvent | AccountView | ApprovalView


class WatchTransactions:
    """Streams changes. A slow reader slows its own stream down; it never loses a life-cycle event."""

    def __init__(self, *, accounts: Accounts, ledger: Ledger, approvals: Approvals) -> None:
        self._accounts = accounts
        self._ledger = ledger
        self._approvals = approvals

    async def __call__(
        self, client: Client, account: AccountId | None, after: Cursor | None
    ) -> AsyncGenerator[Change, None]:
        """Changes after the cursor, for ever.

        A pause or resume has no cursor: ListAccounts tells the state now. Neither has what a person is asked
        for: what waits is told at once.
        """
        if account is not None:
            client.require(METHOD, account)
        waiting: asyncio.Queue[Change | UnavailableError] = asyncio.Queue(maxsize=_WAITING)
        async with self._accounts.changes() as views:
            feeds = (
                asyncio.create_task(self._feed_events(waiting, after)),
                asyncio.create_task(_feed_views(waiting, views)),
                asyncio.create_task(self._feed_phases(waiting)),
            )
            try:
                while True:
                    change = await waiting.get()
                    if isinstance(change, UnavailableError):
                        raise change
                    subject = _subject(change)
                    if client.may(METHOD, subject) and account in {None, subject}:
                        yield change
            finally:
                for feed in feeds:
                    feed.cancel()

    async def _feed_events(
        self, waiting: "asyncio.Queue[Change | UnavailableError]", after: Cursor | None
    ) -> None:
        try:
            async with aclosing(self._ledger.events(after)) as events:
                async for event in events:
                    await waiting.put(event)
            ended = UnavailableError(FailReason.SHUTTING_DOWN, "the ledger was closed; watch again later")
        except UnavailableError as error:
            ended = error
        await waiting.put(ended)

    async def _feed_phases(self, waiting: "asyncio.Queue[Change | UnavailableError]") -> None:
        with self._approvals.phases() as phases:
            for view in self._approvals.waiting():
                await waiting.put(view)
            while True:
                await waiting.put(await phases.get())


def _subject(change: Change) -> AccountId:
    match change:
        case AccountView():
            return change.account.id
        case ApprovalView():
            return change.wanted.account
        case TransactionEvent():
            return change.record.account


async def _feed_views(
    waiting: "asyncio.Queue[Change | UnavailableError]", views: "asyncio.Queue[AccountView]"
) -> None:
    while True:
        await waiting.put(await views.get())
