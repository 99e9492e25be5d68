"""Uniswap V2 Router02 as a venue; refuses all but exact tokens for tokens, paid to the wallet itself."""

from collections.abc import Sequence

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from trader.adapters.evm_rpc.errors import CallRevertedError, NonsenseError
from trader.adapters.uniswap.minimum import expiry, minimum_out
from trader.adapters.uniswap.reader import ContractReader
from trader.domain.ids import Address, address_of, token_of
from trader.domain.quotes import Quote, TransactionDraft
from trader.ports.clock import Clock
from trader.ports.venue import Fees, NoRoute, QuoteRequest

NAME = "uniswap_v2"
GET_AMOUNTS_OUT = bytes.fromhex("d06ca61f")
SWAP_EXACT_TOKENS_FOR_TOKENS = bytes.fromhex("38ed1739")

SWAP_GAS = 190_000
"""One hop took 117,500 with plain tokens; proxies and first writes take more."""


class UniswapV2:
    """Venue port over one Router02; direct pairs only."""

    name = NAME

    def __init__(
        self, reader: ContractReader, clock: Clock, *, router: Address, gas_limit: int = SWAP_GAS
    ) -> None:
        self._reader, self._clock, self._router, self._gas_limit = reader, clock, router, gas_limit

    async def quote(self, request: QuoteRequest) -> Quote | NoRoute:
        """Price the swap by `getAmountsOut` at the latest block."""
        path = (token_of(request.asset_in), token_of(request.asset_out))
        made_at = self._clock.now()
        head = await self._reader.head()
        data = GET_AMOUNTS_OUT + encode(["uint256", "address[]"], [request.amount_in, path])
        try:
            answer = await self._reader.call(self._router, data, head.number)
        except CallRevertedError as error:
            return NoRoute(why=f"{NAME}: {error.message}")
        amount_out = _last_amount(answer, len(path))
        if amount_out == 0:
            return NoRoute(why=f"{NAME}: the amount is too small to buy anything")
        return Quote(
            wallet=request.wallet,
            venue=NAME,
            asset_in=request.asset_in,
            asset_out=request.asset_out,
            path=path,
            fees=(),
            spender=self._router,
            amount_in=request.amount_in,
            amount_out=amount_out,
            minimum_out=minimum_out(amount_out, request.max_slippage_bps),
            block_number=head.number,
            made_at=made_at,
            expires_at=expiry(made_at),
        )

    def build(self, quote: Quote, fees: Fees, deadline_s: int) -> TransactionDraft:
        """`swapExactTokensForTokens(amountIn, amountOutMin, path, wallet, deadline)`."""
        arguments = [quote.amount_in, quote.minimum_out, quote.path, address_of(quote.wallet), deadline_s]
        return TransactionDraft(
            to=self._router,
            value_wei=0,
            data=SWAP_EXACT_TOKENS_FOR_TOKENS
            + encode(["uint256", "uint256", "address[]", "address", "uint256"], arguments),
            gas_limit=self._gas_limit,
            max_fee_per_gas_wei=fees.max_fee_per_gas_wei,
            max_priority_fee_per_gas_wei=fees.max_priority_fee_per_gas_wei,
            deadline_s=deadline_s,
        )


def _last_amount(answer: bytes, hops: int) -> int:
    try:
        amounts: Sequence[int] = decode(["uint256[]"], answer)[0]
    except DecodingError as error:
        raise NonsenseError(f"getAmountsOut: {error}") from None
    if len(amounts) != hops:
        raise NonsenseError(f"getAmountsOut: {len(amounts)} amounts for a path of {hops}")
    return amounts[-1]
