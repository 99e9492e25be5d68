"""ChooseAccount: which account of a wallet to quote for, and what the others would do. Reserves nothing."""

from dataclasses import dataclass

from signer.domain.accounts import AccountId, ChainName
from signer.service.clients import Client, NotGrantedError
from signer.service.wallets.outlook import Choice, Given, Outlook

METHOD = "ChooseAccount"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceRequest:
    """A trade that a client has in mind."""

    wallet: str
    chain: ChainName
    given: Given


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """`account`: the first that would sign; None when none would. `choices` are in the wallet's order."""

    account: AccountId | None
    choices: tuple[Choice, ...]


class ChooseAccount:
    """Chooses."""

    def __init__(self, *, outlook: Outlook) -> None:
        self._outlook = outlook

    async def __call__(self, client: Client, request: ChoiceRequest) -> Choices:
        """Raises NotGrantedError without this grant for any account of the wallet, or without a wallet."""
        members = self._outlook.members(request.wallet, request.chain)
        granted = [each for each in members if client.may(METHOD, each)]
        if not granted:
            raise NotGrantedError(client.name, METHOD, None)
        choices = [await self._outlook(client, each, request.given) for each in granted]
        first = next((each.account for each in choices if each.would_sign), None)
        return Choices(account=first, choices=tuple(choices))
