"""Names and amounts of the trader: exact, in one spelling."""

from decimal import Decimal

import pytest

from trader.domain.assets import Asset, price
from trader.domain.ids import (
    ChainName,
    address_of,
    chain_of,
    erc20,
    native,
    parse_address,
    parse_wallet,
    token_of,
)

MIXED = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
CHAIN = ChainName("eip155:31337")
USDX = Asset(id=erc20(CHAIN, parse_address("0x" + "11" * 20)), symbol="USDX", decimals=6)
WETH = Asset(id=erc20(CHAIN, parse_address("0x" + "22" * 20)), symbol="WETH", decimals=18)


def test_a_wallet_is_kept_in_lower_case() -> None:
    wallet = parse_wallet(f"eip155:31337:{MIXED}")

    assert chain_of(wallet) == CHAIN
    assert address_of(wallet) == parse_address(MIXED)
    with pytest.raises(ValueError, match="is not an EVM account"):
        parse_wallet(MIXED)
    with pytest.raises(ValueError, match="is not an EVM address"):
        parse_address(MIXED[:-1])


def test_the_native_coin_has_no_contract() -> None:
    assert token_of(USDX.id) == "0x" + "11" * 20
    with pytest.raises(ValueError, match="is not an ERC-20 asset"):
        token_of(native(CHAIN))


def test_the_largest_amount_is_written_out_exactly() -> None:
    assert WETH.in_units(2**256 - 1) * 10**18 != 0
    assert str(USDX.in_units(1)) == "0.000001"


def test_a_price_is_quote_for_one_base() -> None:
    assert price(3_000 * 10**6, USDX, 10**18, WETH) == Decimal(3_000)
    with pytest.raises(ValueError, match="a positive amount is needed"):
        price(1, USDX, 0, WETH)
