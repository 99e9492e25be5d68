"""What the settings say that a policy must fit."""

from signer.policy.surroundings import Surroundings
from signer.settings.model import AccountSettings, Settings


def surroundings_of(settings: Settings) -> Surroundings:
    """Accounts with their wallets, and how long the people before their keys may take."""
    timeouts = {each.account_id: _approval_timeout_s(settings, each) for each in settings.accounts}
    return Surroundings(
        wallets={each.account_id: each.wallet for each in settings.accounts},
        approval_timeouts_s={name: value for name, value in timeouts.items() if value is not None},
    )


def _approval_timeout_s(settings: Settings, account: AccountSettings) -> int | None:
    if account.ledger is not None:
        name = account.ledger.device
        return next(each.approval_timeout_s for each in settings.ledgers if each.name == name)
    if account.trezor is not None:
        name = account.trezor.device
        return next(each.approval_timeout_s for each in settings.trezors if each.name == name)
    return None
