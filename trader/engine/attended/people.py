"""Which accounts have a person before their key, and what waits for one, by the signer's last word."""

from collections.abc import Sequence

from trader.domain.ids import IdempotencyKey, WalletId
from trader.ports.signer import PersonPhase, SignerAccount, Waiting


class People:
    """What is not known is not attended: its question is cut after the usual time, and asked again."""

    def __init__(self) -> None:
        self._person_ms: dict[WalletId, int] = {}
        self._waiting: dict[IdempotencyKey, Waiting] = {}

    def learn(self, accounts: Sequence[SignerAccount]) -> None:
        """Take over the signer's list."""
        self._person_ms = {account.wallet: account.person_ms for account in accounts if account.person_ms}

    def person_ms(self, wallet: WalletId) -> int:
        """How long the person before this account's key may take; 0 where there is none."""
        return self._person_ms.get(wallet, 0)

    def note(self, waiting: Waiting) -> None:
        """Take over a change."""
        if waiting.phase is PersonPhase.ENDED:
            self._waiting.pop(waiting.key, None)
        else:
            self._waiting[waiting.key] = waiting

    def waiting(self, key: IdempotencyKey) -> Waiting | None:
        """What waits under this key, if anything does."""
        return self._waiting.get(key)

    def forget_waiting(self) -> None:
        """The signer is about to say anew what waits."""
        self._waiting.clear()
