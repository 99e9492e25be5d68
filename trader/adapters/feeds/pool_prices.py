"""Prices straight from Uniswap pools: V2 reserves or V3 slot0. Refuses a pool that is missing or empty.

A pool's spot price can be moved within one block: it may start a trade, it never bounds one. The
quote's minimum and the signer's own references do.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from trader.adapters.evm_rpc.errors import NonsenseError
from trader.adapters.uniswap.reader import ContractReader
from trader.domain.assets import price
from trader.domain.errors import ConfigurationError
from trader.domain.ids import Address, AssetId, token_of
from trader.ports.price_feed import Pair, PricePoint

GET_PAIR = bytes.fromhex("e6a43905")
GET_POOL = bytes.fromhex("1698ee82")
GET_RESERVES = bytes.fromhex("0902f1ac")
SLOT0 = bytes.fromhex("3850c7bd")

_Q192 = 2**192


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Where a pair's price is read; `v3_fee` in hundredths of a bip, None for a V2 pair."""

    address: Address
    v3_fee: int | None


class PoolPrices:
    """The PriceFeed port over one pool for each pair, keyed by (base, quote)."""

    def __init__(self, reader: ContractReader, pools: Mapping[tuple[AssetId, AssetId], Pool]) -> None:
        self._reader, self._pools = reader, pools

    async def price(self, pair: Pair, block_number: int) -> PricePoint:
        """Price after the given block."""
        pool = self._pools[pair.base.id, pair.quote.id]
        if pool.v3_fee is None:
            amount0, amount1 = await self._reserves(pool.address, block_number)
        else:
            amount0, amount1 = _Q192, await self._square_price(pool.address, block_number)
        # Pools order their tokens by address.
        base_first = token_of(pair.base.id) < token_of(pair.quote.id)
        base, quote = (amount0, amount1) if base_first else (amount1, amount0)
        if base == 0 or quote == 0:
            raise NonsenseError(f"pool {pool.address} is empty at block {block_number}")
        value = price(quote, pair.quote, base, pair.base)
        return PricePoint(pair=pair, price=value, block_number=block_number)

    async def _reserves(self, pool: Address, block_number: int) -> tuple[int, int]:
        answer = await self._reader.call(pool, GET_RESERVES, block_number)
        reserve0, reserve1, _ = _decoded(["uint112", "uint112", "uint32"], answer, pool)
        return reserve0, reserve1

    async def _square_price(self, pool: Address, block_number: int) -> int:
        """Token1 for 2**192 of token0, base units: slot0 holds its square root times 2**96."""
        answer = await self._reader.call(pool, SLOT0, block_number)
        types = ["uint160", "int24", "uint16", "uint16", "uint16", "uint8", "bool"]
        root, *_ = _decoded(types, answer, pool)
        return root * root


async def find_pool(
    reader: ContractReader, factory: Address, pair: tuple[AssetId, AssetId], v3_fee: int | None
) -> Pool:
    """The pair's pool of a factory. Raises ConfigurationError when there is none."""
    tokens = [token_of(asset) for asset in pair]
    if v3_fee is None:
        data = GET_PAIR + encode(["address", "address"], tokens)
    else:
        data = GET_POOL + encode(["address", "address", "uint24"], [*tokens, v3_fee])
    answer = await reader.call(factory, data, None)
    (number,) = _decoded(["uint160"], answer, factory)  # an address is a number of 160 bits
    if number == 0:
        raise ConfigurationError(
            f"factory {factory} has no pool of {tokens[0]} and {tokens[1]}, fee {v3_fee}"
        )
    return Pool(address=Address(f"0x{number:040x}"), v3_fee=v3_fee)


def _decoded(types: list[str], answer: bytes, place: Address) -> tuple[int, ...]:
    """Whole numbers that a contract returned."""
    try:
        values: tuple[int, ...] = decode(types, answer)
    except DecodingError as error:
        raise NonsenseError(f"contract {place}: {error}") from None
    return values
