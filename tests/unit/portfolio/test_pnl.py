from tests.fakes.trade import COIN, TKN, WRAPPED
from trader.domain.ids import AssetId
from trader.portfolio.pnl import BookedSwap, Position, positions


def test_buys_add_up_to_their_cost() -> None:
    assert positions([_buy(10, 100), _buy(20, 100)], WRAPPED) == (
        Position(asset=TKN, held=200, cost=30, realised=0),
    )


def test_a_sale_realises_the_difference_to_the_average_cost() -> None:
    assert positions([_buy(10, 100), _buy(20, 100), _sell(100, 18)], WRAPPED) == (
        Position(asset=TKN, held=100, cost=15, realised=3),
    )


def test_a_cost_that_does_not_divide_is_rounded_against_us() -> None:
    assert positions([_buy(10, 3), _sell(1, 4)], WRAPPED) == (
        Position(asset=TKN, held=2, cost=6, realised=0),
    )


def test_units_without_a_known_cost_are_all_profit_and_never_a_negative_position() -> None:
    assert positions([_sell(5, 7)], WRAPPED) == (Position(asset=TKN, held=0, cost=0, realised=7),)


def test_swaps_without_the_base_asset_are_left_out() -> None:
    assert positions([_swap(TKN, COIN, 1, 1), _swap(WRAPPED, WRAPPED, 1, 1)], WRAPPED) == ()


def _buy(spent: int, received: int) -> BookedSwap:
    return _swap(WRAPPED, TKN, spent, received)


def _sell(spent: int, received: int) -> BookedSwap:
    return _swap(TKN, WRAPPED, spent, received)


def _swap(asset_in: AssetId, asset_out: AssetId, spent: int, received: int) -> BookedSwap:
    return BookedSwap(asset_in=asset_in, asset_out=asset_out, spent=spent, received=received)
