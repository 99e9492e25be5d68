"""`status`, `orders`, `positions`: what the database knows. Refuses to ask the chain or the signer."""

from collections.abc import Mapping, Sequence

from trader.app import open_store
from trader.cli.exit_codes import ExitCode
from trader.cli.moves import MOVE_COLUMNS, move_rows, wallet_rows
from trader.cli.show import Cell, Rows, show
from trader.domain.assets import Asset
from trader.domain.ids import AssetId
from trader.domain.orders import Order, OrderState
from trader.domain.time import UnixMs
from trader.plan import described_assets
from trader.ports.order_store import Balance
from trader.settings import Settings

_SHORT_ID = 8
_ASKING = frozenset({OrderState.SIGN_REQUESTED, OrderState.BROADCAST, OrderState.UNKNOWN})
_MOST_WAITING = 1_000
_COLUMNS = {
    "orders": ("order", "kind", "state", "venue", "in", "received", "out", "reason"),
    "balances": ("wallet", "asset", "free", "reserved"),
    "waiting": ("order", "kind", "wallet", "waiting"),
    "moves": MOVE_COLUMNS,
}


async def status(settings: Settings, *, as_json: bool) -> int:
    """The wallets and what they were, what waits for a person, orders by state, halts, balances."""
    async with open_store(settings) as store:
        states = await store.states()
        halted = await store.halted()
        open_orders = await store.orders(open_only=True, limit=_MOST_WAITING)
        standings = [await store.standing(wallet) for wallet in settings.accounts]
        balances = [one for standing in standings for one in await store.balances(standing.wallet)]
        wallets = [row for standing in standings for row in await wallet_rows(store, standing)]
        moves = [move for standing in standings for move in await store.moves(standing.wallet)]
    show(
        {
            "wallet": wallets,
            "moves": move_rows(moves, _by_id(settings)),
            "waiting": [_waiting_row(order) for order in open_orders if _waiting(order) is not None],
            "states": [{"state": state, "count": count} for state, count in states.items()],
            "halted": [{"wallet": wallet, "reason": reason} for wallet, reason in halted.items()],
            "balances": _balance_rows(settings, balances),
        },
        as_json=as_json,
        columns=_COLUMNS,
    )
    return ExitCode.FOUND_A_PROBLEM if halted else ExitCode.OK


async def orders(settings: Settings, *, as_json: bool, open_only: bool, limit: int) -> int:
    """Orders, newest first."""
    async with open_store(settings) as store:
        found = await store.orders(open_only=open_only, limit=limit)
    assets = _by_id(settings)
    show({"orders": [_order_row(order, assets) for order in found]}, as_json=as_json, columns=_COLUMNS)
    return ExitCode.OK


async def positions(settings: Settings, *, as_json: bool) -> int:
    """Funds by asset, and for each strategy's quote asset what trading against it left and earned."""
    assets = _by_id(settings)
    by_symbol = {asset.symbol: asset for asset in assets.values()}
    rows: list[Mapping[str, Cell]] = []
    async with open_store(settings) as store:
        standings = [await store.standing(wallet) for wallet in settings.accounts]
        balances = [one for standing in standings for one in await store.balances(standing.wallet)]
        wallets = [row for standing in standings for row in await wallet_rows(store, standing)]
        moves = [move for standing in standings for move in await store.moves(standing.wallet)]
        traded = sorted({strategy.quote for strategy in settings.strategies})
        for wallet, symbol in ((standing.wallet, symbol) for standing in standings for symbol in traded):
            quote = by_symbol[symbol]
            rows += [
                {
                    "wallet": wallet,
                    "asset": _symbol(assets, position.asset),
                    "against": symbol,
                    "held": _people(assets, position.asset, position.held),
                    "cost": _people(assets, quote.id, position.cost),
                    "realised": _people(assets, quote.id, position.realised),
                }
                for position in await store.positions(wallet, quote.id)
            ]
    show(
        {
            "wallet": wallets,
            "moves": move_rows(moves, assets),
            "balances": _balance_rows(settings, balances),
            "positions": rows,
        },
        as_json=as_json,
        columns=_COLUMNS,
    )
    return ExitCode.OK


def _balance_rows(settings: Settings, balances: Sequence[Balance]) -> Rows:
    assets = _by_id(settings)
    return [
        {
            "wallet": balance.wallet,
            "asset": _symbol(assets, balance.asset),
            "free": _people(assets, balance.asset, balance.free),
            "reserved": _people(assets, balance.asset, balance.reserved),
            "free_base_units": str(balance.free),
            "reserved_base_units": str(balance.reserved),
        }
        for balance in balances
    ]


def _order_row(order: Order, assets: Mapping[AssetId, Asset]) -> Mapping[str, Cell]:
    spent = None if order.amount_spent is None else _people(assets, order.asset_in, order.amount_spent)
    received = (
        None if order.amount_received is None else _people(assets, order.asset_out, order.amount_received)
    )
    return {
        "id": order.id,
        "order": order.id[:_SHORT_ID],
        "kind": order.kind,
        "state": order.state,
        "strategy": order.strategy,
        "venue": order.venue if order.quote is None else order.quote.venue,
        "in": f"{_people(assets, order.asset_in, order.amount_in)} {_symbol(assets, order.asset_in)}",
        "out": _symbol(assets, order.asset_out),
        "spent": spent,
        "received": received,
        "fee_wei": None if order.fee_paid_wei is None else str(order.fee_paid_wei),
        "seconds_to_signature": None
        if order.signed_at is None
        else _seconds(order.created_at, order.signed_at),
        "transaction_hash": order.transaction_hash,
        "reason": order.reason,
        "wallet": order.wallet,
        "recipient": order.recipient,
        "follows": order.follows,
        "waiting": _waiting(order),
    }


def _waiting_row(order: Order) -> Mapping[str, Cell]:
    return {
        "order": order.id[:_SHORT_ID],
        "id": order.id,
        "kind": order.kind,
        "wallet": order.wallet,
        "waiting": _waiting(order),
    }


def _waiting(order: Order) -> str | None:
    """How far a person is; what a broken stream left behind counts only where somebody can be asked."""
    return order.waiting if order.state in _ASKING else None


def _seconds(start: UnixMs, end: UnixMs) -> str:
    return f"{(end - start) // 1000}.{(end - start) % 1000:03d}"


def _by_id(settings: Settings) -> Mapping[AssetId, Asset]:
    return {asset.id: asset for asset in described_assets(settings)}


def _symbol(assets: Mapping[AssetId, Asset], asset: AssetId) -> str:
    return assets[asset].symbol if asset in assets else asset


def _people(assets: Mapping[AssetId, Asset], asset: AssetId, amount: int) -> str:
    return f"{assets[asset].in_units(amount):f}" if asset in assets else str(amount)
