"""What a rotation changes while the signer runs, and again when it starts: the new account simply works.

Its key is adopted by the old one's backend, it stands behind the others of the same wallet, and it has the
old one's grants and policy. What the files say of the new account always wins.
"""

from collections.abc import Sequence
from dataclasses import replace

from signer.domain.accounts import Account, AccountId
from signer.domain.errors import NotFoundError, SignerError
from signer.domain.rotation import Rotation, RotationState
from signer.ports.events import EventLog
from signer.ports.ledger import Ledger
from signer.service.accounts import Accounts, Binding
from signer.service.clients import Client
from signer.service.policies import Policies


class Successions:
    """Lets accounts take over."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        policies: Policies,
        ledger: Ledger,
        clients: Sequence[Client],
        log: EventLog,
    ) -> None:
        self._accounts = accounts
        self._policies = policies
        self._ledger = ledger
        self._clients = clients
        self._log = log
        self._keyless: set[AccountId] = set()

    def prepare(self, old: AccountId, new: AccountId) -> Binding:
        """Binding of the new account as it will be; nothing knows it yet."""
        try:
            return self._accounts.binding(new)
        except NotFoundError:
            return self._bound_like(old, new)

    def take_over(self, rotation: Rotation) -> None:
        """Let the new account work, and clients know of it."""
        self._accounts.adopt(self.prepare(rotation.old, rotation.new))
        self._policies.inherit(rotation.old, rotation.new)
        for client in self._clients:
            client.inherit(rotation.old, rotation.new)
        turned_back = rotation.state is RotationState.TURNED_BACK
        self._accounts.set_successor(rotation.old, None if turned_back else rotation.new)
        self._accounts.set_successor(rotation.new, None)

    async def restore(self) -> None:
        """Bring back what earlier rotations changed. Raises UnavailableError when the ledger is away."""
        configured = frozenset(self._accounts.ids())
        retired: set[AccountId] = set()
        for rotation in await self._ledger.rotations():
            try:
                self._bind_what_files_forgot(rotation)
                self.take_over(rotation)
            except NotFoundError as error:
                self._log.event("rotation.not_restored", account=rotation.old, problem=str(error))
                continue
            self._keyless |= {rotation.old, rotation.new} - configured
            if rotation.state is RotationState.FINISHED:
                retired.add(rotation.old)
        self._keyless -= retired
        await self.adopt_keys()

    async def adopt_keys(self) -> None:
        """Get the keys of accounts that no file names; one that cannot be had now is tried again later."""
        for account in tuple(self._keyless):
            try:
                await self._accounts.binding(account).backend.adopt(account)
            except SignerError as error:
                self._log.event("rotation.key_not_there", account=account, problem=str(error))
            else:
                self._keyless.discard(account)

    def _bind_what_files_forgot(self, rotation: Rotation) -> None:
        """An operator may have put the new account in the old one's place before the old one was empty."""
        if rotation.old not in self._accounts.ids():
            self._accounts.adopt(self._bound_like(rotation.new, rotation.old))

    def _bound_like(self, known: AccountId, other: AccountId) -> Binding:
        like = self._accounts.binding(known)
        wallet = like.account.wallet
        members = [self._accounts.binding(each).account for each in self._accounts.ids()]
        position = 1 + max(each.wallet_position for each in members if each.wallet == wallet)
        account = Account(id=other, wallet=wallet, wallet_position=position, backend=like.account.backend)
        return replace(like, account=account)
