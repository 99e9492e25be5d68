"""Rows to values and back. Knows every column of an order; decides nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Final

import asyncpg

from trader.domain.ids import Address, AssetId, IdempotencyKey, OrderId, StrategyName, WalletId
from trader.domain.orders import Order, OrderKind, OrderState
from trader.domain.quotes import Quote, TransactionDraft
from trader.domain.time import UnixMs
from trader.portfolio.postings import Posting, balance_changes
from trader.ports.order_store import Approval, ApprovalState

_COLUMNS: Final = tuple(field.name for field in fields(Order))
_QUOTE: Final = tuple(field.name for field in fields(Quote))
_DRAFT: Final = tuple(field.name for field in fields(TransactionDraft))

ORDER: Final = ", ".join(_COLUMNS)
"""Columns of an order, for a SELECT."""


def order_of(row: asyncpg.Record) -> Order:
    """An order from a row with the columns `ORDER`."""
    parent: object = row["parent"]
    return Order(
        id=OrderId(str(row["id"])),
        kind=OrderKind(row["kind"]),
        wallet=WalletId(row["wallet"]),
        strategy=StrategyName(row["strategy"]),
        venue=row["venue"],
        asset_in=AssetId(row["asset_in"]),
        asset_out=AssetId(row["asset_out"]),
        amount_in=row["amount_in"],
        max_slippage_bps=row["max_slippage_bps"],
        live=row["live"],
        created_at=UnixMs(row["created_at"]),
        expires_at=UnixMs(row["expires_at"]),
        fence=row["fence"],
        state=OrderState(row["state"]),
        parent=None if parent is None else OrderId(str(parent)),
        spender=None if row["spender"] is None else Address(row["spender"]),
        wallet_group=row["wallet_group"],
        follows=None if row["follows"] is None else OrderId(str(row["follows"])),
        recipient=None if row["recipient"] is None else WalletId(row["recipient"]),
        quote=None if row["quote"] is None else _quote_of(row["quote"]),
        draft=None if row["draft"] is None else _draft_of(row["draft"]),
        idempotency_key=None if row["idempotency_key"] is None else IdempotencyKey(row["idempotency_key"]),
        signer_transaction_id=row["signer_transaction_id"],
        nonce=row["nonce"],
        transaction_hash=row["transaction_hash"],
        signed_at=None if row["signed_at"] is None else UnixMs(row["signed_at"]),
        block_number=row["block_number"],
        block_hash=row["block_hash"],
        amount_spent=row["amount_spent"],
        amount_received=row["amount_received"],
        fee_paid_wei=row["fee_paid_wei"],
        reason=row["reason"],
        waiting=row["waiting"],
    )


def changes_json(before: Order, after: Order) -> dict[str, object]:
    """Only the columns that a step changes, but for the state, which is the step itself."""
    return {
        name: plain(getattr(after, name))
        for name in _COLUMNS
        if name != "state" and getattr(before, name) != getattr(after, name)
    }


def booking_columns(
    postings: Sequence[Posting], pending: Mapping[AssetId, int]
) -> tuple[Sequence[object], ...]:
    """Entries (account, asset, amount), then balance changes (asset, free, reserved, incoming)."""
    changes = balance_changes(postings, pending)
    return (
        [posting.account for posting in postings],
        [posting.asset for posting in postings],
        [posting.amount for posting in postings],
        [change.asset for change in changes],
        [change.free for change in changes],
        [change.reserved for change in changes],
        [change.incoming for change in changes],
    )


def approval_of(row: asyncpg.Record) -> Approval:
    """An approval from its row."""
    return Approval(
        wallet=WalletId(row["wallet"]),
        token=Address(row["token"]),
        spender=Address(row["spender"]),
        amount=row["amount"],
        swap=OrderId(str(row["swap"])),
        order=OrderId(str(row["order_id"])),
        state=ApprovalState(row["state"]),
    )


def plain(value: object) -> object:
    """A column's value as JSON has it."""
    match value:
        case Quote():
            return {name: getattr(value, name) for name in _QUOTE}
        case TransactionDraft():
            return {name: getattr(value, name) for name in _DRAFT} | {"data": value.data.hex()}
        case _:
            return value


def _quote_of(stored: Mapping[str, object]) -> Quote:
    return Quote(
        wallet=WalletId(_text(stored, "wallet")),
        venue=_text(stored, "venue"),
        asset_in=AssetId(_text(stored, "asset_in")),
        asset_out=AssetId(_text(stored, "asset_out")),
        path=tuple(Address(str(step)) for step in _list(stored, "path")),
        fees=tuple(int(str(fee)) for fee in _list(stored, "fees")),
        spender=Address(_text(stored, "spender")),
        amount_in=_whole(stored, "amount_in"),
        amount_out=_whole(stored, "amount_out"),
        minimum_out=_whole(stored, "minimum_out"),
        block_number=_whole(stored, "block_number"),
        made_at=UnixMs(_whole(stored, "made_at")),
        expires_at=UnixMs(_whole(stored, "expires_at")),
    )


def _draft_of(stored: Mapping[str, object]) -> TransactionDraft:
    return TransactionDraft(
        to=Address(_text(stored, "to")),
        value_wei=_whole(stored, "value_wei"),
        data=bytes.fromhex(_text(stored, "data")),
        gas_limit=_whole(stored, "gas_limit"),
        max_fee_per_gas_wei=_whole(stored, "max_fee_per_gas_wei"),
        max_priority_fee_per_gas_wei=_whole(stored, "max_priority_fee_per_gas_wei"),
        deadline_s=_whole(stored, "deadline_s"),
    )


def _whole(stored: Mapping[str, object], name: str) -> int:
    value = stored[name]
    if type(value) is not int:
        raise TypeError(f"{name} in a stored quote or draft is {value!r}: a whole number is allowed")
    return value


def _text(stored: Mapping[str, object], name: str) -> str:
    value = stored[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} in a stored quote or draft is {value!r}: text is allowed")
    return value


def _list(stored: Mapping[str, object], name: str) -> Sequence[object]:
    value = stored[name]
    if not isinstance(value, list):
        raise TypeError(f"{name} in a stored quote or draft is {value!r}: a list is allowed")
    return value
