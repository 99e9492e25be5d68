"""Uniswap V3 as a venue; refuses a swap without deadline, or paid to anyone but the wallet itself.

Quotes come from QuoterV2, swaps go to SwapRouter02.
SwapRouter02's own swaps have no deadline, so every swap travels inside `multicall(deadline, [swap])`.
"""

import itertools
from collections.abc import Mapping

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from trader.adapters.evm_rpc.errors import CallRevertedError, NonsenseError
from trader.adapters.uniswap.minimum import expiry, minimum_out
from trader.adapters.uniswap.reader import ContractReader
from trader.domain.ids import Address, AssetId, address_of, token_of
from trader.domain.quotes import Quote, TransactionDraft
from trader.ports.clock import Clock
from trader.ports.venue import Fees, NoRoute, QuoteRequest

NAME = "uniswap_v3"
QUOTE_EXACT_INPUT_SINGLE = bytes.fromhex("c6a5026a")
QUOTE_EXACT_INPUT = bytes.fromhex("cdca1753")
EXACT_INPUT_SINGLE = bytes.fromhex("04e45aaf")
EXACT_INPUT = bytes.fromhex("b858183f")
MULTICALL_WITH_DEADLINE = bytes.fromhex("5ae401dc")

SWAP_GAS = 230_000
"""One hop took 116,000 to 147,000 with plain tokens; ticks crossed, proxies and first writes take more."""
HOP_GAS = 120_000

Route = tuple[tuple[Address, ...], tuple[int, ...]]
"""Tokens, and between them the pools' fees in hundredths of a bip."""


class UniswapV3:
    """Venue port over one SwapRouter02 and its QuoterV2.

    `routes` names the tokens and fees for each ordered pair of assets; a pair without one has no route.
    """

    name = NAME

    def __init__(
        self,
        reader: ContractReader,
        clock: Clock,
        *,
        router: Address,
        quoter: Address,
        routes: Mapping[tuple[AssetId, AssetId], Route],
        gas_limit: int = SWAP_GAS,
    ) -> None:
        self._reader, self._clock = reader, clock
        self._router, self._quoter, self._routes, self._gas_limit = router, quoter, routes, gas_limit

    async def quote(self, request: QuoteRequest) -> Quote | NoRoute:
        """Price the swap by QuoterV2 at the latest block."""
        route = self._routes.get((request.asset_in, request.asset_out))
        if route is None:
            return NoRoute(why=f"{NAME}: no pool is configured for this pair")
        path, fees = route
        if (path[0], path[-1]) != (token_of(request.asset_in), token_of(request.asset_out)):
            raise ValueError(f"the route {path} does not join {request.asset_in} and {request.asset_out}")
        made_at = self._clock.now()
        head = await self._reader.head()
        try:
            answer = await self._reader.call(
                self._quoter, _quote_call(path, fees, request.amount_in), head.number
            )
        except CallRevertedError as error:
            return NoRoute(why=f"{NAME}: {error.message}")
        amount_out = _amount_out(answer, single=len(fees) == 1)
        if amount_out == 0:
            return NoRoute(why=f"{NAME}: the amount is too small to buy anything")
        return Quote(
            wallet=request.wallet,
            venue=NAME,
            asset_in=request.asset_in,
            asset_out=request.asset_out,
            path=path,
            fees=fees,
            spender=self._router,
            amount_in=request.amount_in,
            amount_out=amount_out,
            minimum_out=minimum_out(amount_out, request.max_slippage_bps),
            block_number=head.number,
            made_at=made_at,
            expires_at=expiry(made_at),
        )

    def build(self, quote: Quote, fees: Fees, deadline_s: int) -> TransactionDraft:
        """`multicall(deadline, [exactInputSingle(…)])`, or `[exactInput(…)]` over several pools."""
        return TransactionDraft(
            to=self._router,
            value_wei=0,
            data=MULTICALL_WITH_DEADLINE + encode(["uint256", "bytes[]"], [deadline_s, [_swap_call(quote)]]),
            gas_limit=self._gas_limit + HOP_GAS * (len(quote.fees) - 1),
            max_fee_per_gas_wei=fees.max_fee_per_gas_wei,
            max_priority_fee_per_gas_wei=fees.max_priority_fee_per_gas_wei,
            deadline_s=deadline_s,
        )


def packed_path(path: tuple[Address, ...], fees: tuple[int, ...]) -> bytes:
    """Token (20 bytes), fee (3 bytes), token, …, as V3 writes a path."""
    if len(path) != len(fees) + 1:
        raise ValueError(f"a path of {len(path)} tokens needs {len(path) - 1} fees, not {len(fees)}")
    parts = itertools.zip_longest(
        (bytes.fromhex(token[2:]) for token in path), (fee.to_bytes(3) for fee in fees), fillvalue=b""
    )
    return b"".join(token + fee for token, fee in parts)


def _quote_call(path: tuple[Address, ...], fees: tuple[int, ...], amount_in: int) -> bytes:
    if len(fees) == 1:
        arguments = (path[0], path[1], amount_in, fees[0], 0)
        return QUOTE_EXACT_INPUT_SINGLE + encode(["(address,address,uint256,uint24,uint160)"], [arguments])
    return QUOTE_EXACT_INPUT + encode(["bytes", "uint256"], [packed_path(path, fees), amount_in])


def _swap_call(quote: Quote) -> bytes:
    wallet = address_of(quote.wallet)
    if len(quote.fees) == 1:
        single = (quote.path[0], quote.path[1], quote.fees[0], wallet, quote.amount_in, quote.minimum_out, 0)
        types = "(address,address,uint24,address,uint256,uint256,uint160)"
        return EXACT_INPUT_SINGLE + encode([types], [single])
    several = (packed_path(quote.path, quote.fees), wallet, quote.amount_in, quote.minimum_out)
    return EXACT_INPUT + encode(["(bytes,address,uint256,uint256)"], [several])


def _amount_out(answer: bytes, *, single: bool) -> int:
    types = (
        ["uint256", "uint160", "uint32", "uint256"]
        if single
        else ["uint256", "uint160[]", "uint32[]", "uint256"]
    )
    try:
        amount_out: int = decode(types, answer)[0]
    except DecodingError as error:
        raise NonsenseError(f"QuoterV2: {error}") from None
    return amount_out
