"""The wallet that trades, those that it took over from, and how the books moved: for people and programs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from trader.cli.show import Cell, Rows
from trader.domain.assets import Asset
from trader.domain.ids import AssetId
from trader.domain.moves import Standing
from trader.domain.time import MS_PER_S, UnixMs
from trader.ports.move_store import MoveLine, MoveRecord, MoveStore

MOVE_COLUMNS = ("from", "to", "booked", "asset", "moved", "fee", "left")
"""What fits a terminal; JSON also has block, base units and transactions."""


async def wallet_rows(store: MoveStore, standing: Standing) -> Rows:
    """The one that trades first, then the one that it is being moved to, then its predecessors."""
    rows: list[Mapping[str, Cell]] = [{"wallet": standing.wallet, "role": "trades"}]
    if standing.move is not None:
        role = "takes over" if standing.move.target == standing.move.other else "gives back"
        rows = [
            {"wallet": standing.wallet, "role": "draining"},
            {"wallet": standing.move.other, "role": role},
        ]
    known = await store.predecessors(standing.wallet)
    return [*rows, *({"wallet": wallet, "role": "predecessor"} for wallet in known)]


def move_rows(moves: Sequence[MoveRecord], assets: Mapping[AssetId, Asset]) -> Rows:
    """A line for each asset of a booked move; one line for a move that is under way."""
    return [{**_head(move), **_line(line, assets)} for move in moves for line in (move.lines or (_NOTHING,))]


_NOTHING = MoveLine(asset=AssetId(""), moved=0, fee=0, left=0)


def _head(move: MoveRecord) -> Mapping[str, Cell]:
    source = move.wallet if move.target == move.other else move.other
    return {
        "from": source,
        "to": move.target,
        "begun": _instant(move.begun_at),
        "booked": "under way" if move.booked_at is None else _instant(move.booked_at),
        "block": move.block_number,
        "transactions": " ".join(move.transactions),
    }


def _line(line: MoveLine, assets: Mapping[AssetId, Asset]) -> Mapping[str, Cell]:
    if line is _NOTHING:
        return {"asset": None, "moved": None, "fee": None, "left": None, "moved_base_units": None}
    asset = assets.get(line.asset)

    def people(amount: int) -> str:
        return str(amount) if asset is None else f"{asset.in_units(amount):f}"

    return {
        "asset": line.asset if asset is None else asset.symbol,
        "moved": people(line.moved),
        "fee": people(line.fee),
        "left": people(line.left),
        "moved_base_units": str(line.moved),
    }


def _instant(at: UnixMs) -> str:
    return datetime.fromtimestamp(at // MS_PER_S, UTC).isoformat()
