"""What each step of an order does to the double-entry ledger. Refuses to make or lose a base unit.

Every function returns postings that sum to zero per asset. A wallet's balance of an asset is the sum of its
`wallet/free` and `wallet/reserved` entries and nothing else.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from trader.domain.ids import AssetId, chain_of, native
from trader.domain.orders import HOLDING_STATES, Order, OrderKind


class LedgerAccount(StrEnum):
    """Chart of accounts. `TRADING` is a clearing account per order: what it gave up and what it got.

    `MOVED` clears between two wallets of ours, in a rotation and in a top-up: what left one (+) and what came
    to the other (-).
    """

    FREE = "wallet/free"
    RESERVED = "wallet/reserved"
    OPENING = "equity/opening"
    MOVED = "equity/moved"
    TRADING = "trading"
    GAS = "expense/gas"


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A signed amount of base units on one account; plus on a wallet account is more in the wallet."""

    account: LedgerAccount
    asset: AssetId
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceChange:
    """Base units to add to a wallet's balance. `incoming` is quoted for open swaps, not ours yet."""

    asset: AssetId
    free: int
    reserved: int
    incoming: int


def opening(balances: Mapping[AssetId, int]) -> tuple[Posting, ...]:
    """The chain's balances, brought in against equity."""
    return net(
        move
        for asset, amount in balances.items()
        for move in _move(asset, amount, LedgerAccount.OPENING, LedgerAccount.FREE)
    )


def holds(order: Order) -> Mapping[AssetId, int]:
    """Base units that the order keeps reserved while it may still reach the chain."""
    return _needs(order) if order.state in HOLDING_STATES else {}


def change_of_holds(before: Order, after: Order) -> tuple[Posting, ...]:
    """From free to reserved, or back, when a step changes what the order holds."""
    return net((*_release(before), *_reserve(after)))


def closing(order: Order, *, spent: int, received: int, fee_paid_wei: int) -> tuple[Posting, ...]:
    """The hold goes back and what really happened is paid: base units of the order's assets, fee in wei.

    A fee above the hold (a replacement paid more per gas) comes out of free funds. For a transaction that was
    never mined all three are zero, but for the fee of our own cancellation. What a top-up brought is booked
    with the wallet that received it: see `arrival`.
    """
    coin = native(chain_of(order.wallet))
    moved = order.kind is OrderKind.TOP_UP
    against = LedgerAccount.MOVED if moved else LedgerAccount.TRADING
    return net(
        (
            *_release(order),
            *_move(order.asset_in, spent, LedgerAccount.FREE, against),
            *_move(order.asset_out, 0 if moved else received, against, LedgerAccount.FREE),
            *_move(coin, fee_paid_wei, LedgerAccount.FREE, LedgerAccount.GAS),
        )
    )


def arrival(order: Order, *, received: int) -> tuple[Posting, ...]:
    """What a top-up brought, base units: entries of the wallet that received it."""
    return net(_move(order.asset_in, received, LedgerAccount.MOVED, LedgerAccount.FREE))


def balance_changes(postings: Iterable[Posting], pending: Mapping[AssetId, int]) -> tuple[BalanceChange, ...]:
    """What postings and a change of pending buys do to the balances; one line per asset."""
    free: dict[AssetId, int] = defaultdict(int)
    reserved: dict[AssetId, int] = defaultdict(int)
    for posting in postings:
        if posting.account is LedgerAccount.FREE:
            free[posting.asset] += posting.amount
        elif posting.account is LedgerAccount.RESERVED:
            reserved[posting.asset] += posting.amount
    return tuple(
        BalanceChange(
            asset=asset,
            free=free.get(asset, 0),
            reserved=reserved.get(asset, 0),
            incoming=pending.get(asset, 0),
        )
        for asset in {**free, **reserved, **pending}
    )


def incoming(order: Order) -> int:
    """Base units of `asset_out` that an open swap with a reservation is expected to buy, by its quote."""
    if order.kind is not OrderKind.SWAP or order.quote is None or order.state not in HOLDING_STATES:
        return 0
    return order.quote.amount_out


def change_of_incoming(before: Order, after: Order) -> Mapping[AssetId, int]:
    """Pending buys that a step adds or takes away."""
    change = incoming(after) - incoming(before)
    return {after.asset_out: change} if change else {}


def _needs(order: Order) -> Mapping[AssetId, int]:
    if order.draft is None:
        raise ValueError(f"order {order.id} has no draft: only a quoted order can reserve")
    coin = native(chain_of(order.wallet))
    amount = 0 if order.kind is OrderKind.APPROVAL else order.amount_in
    expected_value = amount if order.asset_in == coin else 0
    if order.draft.value_wei != expected_value:
        raise ValueError(
            f"order {order.id} sends {order.draft.value_wei} wei, its books expect {expected_value} wei"
        )
    needs: dict[AssetId, int] = defaultdict(int)
    needs[order.asset_in] += amount
    needs[coin] += order.draft.worst_fee_wei
    return {asset: needed for asset, needed in needs.items() if needed}


def _reserve(order: Order) -> Iterable[Posting]:
    for asset, amount in holds(order).items():
        yield from _move(asset, amount, LedgerAccount.FREE, LedgerAccount.RESERVED)


def _release(order: Order) -> Iterable[Posting]:
    for asset, amount in holds(order).items():
        yield from _move(asset, amount, LedgerAccount.RESERVED, LedgerAccount.FREE)


def _move(
    asset: AssetId, amount: int, source: LedgerAccount, target: LedgerAccount
) -> tuple[Posting, Posting]:
    if amount < 0:
        raise ValueError(f"{amount} of {asset} cannot move from {source} to {target}: 0 or more can")
    return (
        Posting(account=source, asset=asset, amount=-amount),
        Posting(account=target, asset=asset, amount=amount),
    )


def net(postings: Iterable[Posting]) -> tuple[Posting, ...]:
    """One posting per account and asset, without zeros."""
    totals: dict[tuple[LedgerAccount, AssetId], int] = defaultdict(int)
    for posting in postings:
        totals[posting.account, posting.asset] += posting.amount
    return tuple(
        Posting(account=account, asset=asset, amount=amount)
        for (account, asset), amount in totals.items()
        if amount
    )
