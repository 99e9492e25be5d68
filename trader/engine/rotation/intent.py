"""What the signer's list of accounts means for the wallet that trades: stay, or move, and where to. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from trader.domain.ids import WalletId, chain_of
from trader.domain.moves import Standing
from trader.ports.signer import SignerAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """The two wallets of a rotation, seen from the one that trades, and where the funds go."""

    other: WalletId
    target: WalletId


def aim_of(standing: Standing, accounts: Sequence[SignerAccount]) -> Aim | None:
    """Where the books of the wallet are to go; None when they stay.

    A rotation that was turned round has the other account leave towards ours.
    """
    by_wallet = {account.wallet: account for account in accounts}
    ours = by_wallet.get(standing.wallet)
    successor = None if ours is None or not ours.leaving else _follower(ours)
    if successor is not None:
        return Aim(other=successor, target=successor)
    if standing.move is not None and _leads_back(by_wallet.get(standing.move.other), standing.wallet):
        return Aim(other=standing.move.other, target=standing.wallet)
    return None


def returned_to(
    wallet: WalletId, accounts: Sequence[SignerAccount], known: Collection[WalletId]
) -> Aim | None:
    """The account whose rotation was turned round towards `wallet` while nobody looked, if there is just one.

    `known`: predecessors, whose move here is booked. Only who sees a difference on the chain may ask.
    """
    back = [
        account.wallet for account in accounts if _leads_back(account, wallet) and account.wallet not in known
    ]
    return Aim(other=back[0], target=wallet) if len(back) == 1 else None


def _leads_back(account: SignerAccount | None, wallet: WalletId) -> bool:
    return account is not None and account.leaving and account.successor == wallet != account.wallet


def _follower(account: SignerAccount) -> WalletId | None:
    """The successor, if it can be one: another account of the same chain."""
    successor, wallet = account.successor, account.wallet
    if successor is None or successor == wallet or chain_of(successor) != chain_of(wallet):
        return None
    return successor
