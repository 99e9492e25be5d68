"""Price reference: what the pools return for a swap at the head, by the contracts' own quoting calls.

One source only, and one that a large trade can move; the policy decides how many must agree.
"""

from collections import OrderedDict
from typing import TypeAlias

from signer.adapters.evm_rpc.hexadecimal import data
from signer.adapters.evm_rpc.single_flight import SingleFlight
from signer.adapters.json_rpc.transport import Json, JsonRpc, RpcError
from signer.domain.accounts import Address
from signer.domain.actions import Swap, SwapVenue
from signer.domain.chain import Head, ReferenceQuote
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason

GET_AMOUNTS_OUT = bytes.fromhex("d06ca61f")
"""Router02 `getAmountsOut(uint256,address[])`."""
QUOTE_SINGLE = bytes.fromhex("c6a5026a")
"""QuoterV2 `quoteExactInputSingle((address,address,uint256,uint24,uint160))`."""
QUOTE_PATH = bytes.fromhex("cdca1753")
"""QuoterV2 `quoteExactInput(bytes,uint256)`."""

_Key: TypeAlias = tuple[str, Address, tuple[Address, ...], tuple[int, ...], int]
"""Block hash, contract asked, path, fees, amount in: whatever the answer depends on."""

_REMEMBERED = 2_048
_WORD = 32
_EXECUTION_REVERTED = 3  # EIP-1474's successors: geth, anvil, reth


class PoolQuote:
    """`PriceReference` over Uniswap V2 routers and V3 quoters. Remembers answers by block and question."""

    name = "pool_quote"

    def __init__(self, rpc: JsonRpc) -> None:
        self._rpc = rpc
        self._answers: OrderedDict[_Key, int | None] = OrderedDict()
        self._flights: SingleFlight[_Key, int | None] = SingleFlight()

    async def quote(self, swap: Swap, via: Address, head: Head) -> ReferenceQuote | None:
        """What `via` says the swap returns at `head`; None without a pool. Raises UnavailableError."""
        key = (head.hash, via, swap.path, swap.fees, swap.amount_in)
        if key in self._answers:
            self._answers.move_to_end(key)
            amount_out = self._answers[key]
        else:
            amount_out = await self._flights.ask(key, lambda: self._ask(key, swap, via, head))
        if not amount_out:
            # Nothing out is no price: measured against it, every minimum would look fair.
            return None
        return ReferenceQuote(
            source=self.name,
            amount_out=amount_out,
            block_number=head.number,
            block_timestamp_s=head.timestamp_s,
        )

    async def _ask(self, key: _Key, swap: Swap, via: Address, head: Head) -> int | None:
        request: dict[str, Json] = {"to": via, "data": f"0x{calldata(swap).hex()}"}
        try:
            answer = await self._rpc.call("eth_call", request, hex(head.number))
            amount_out = _amount_out(swap, data(answer))
        except RpcError as error:
            if not _is_revert(error):
                text = f"node {self._rpc.host}: {error}"
                raise UnavailableError(FailReason.CHAIN_UNREACHABLE, text) from None
            amount_out = None
        except ValueError as error:
            raise self._rpc.nonsense("eth_call", str(error)) from None
        self._remember(key, amount_out)
        return amount_out

    def _remember(self, key: _Key, amount_out: int | None) -> None:
        self._answers[key] = amount_out
        if len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)


def calldata(swap: Swap) -> bytes:
    """Quoting call for a swap."""
    tokens = [int(token, 16) for token in swap.path]
    if swap.venue is SwapVenue.UNISWAP_V2_ROUTER02:
        return GET_AMOUNTS_OUT + _words(swap.amount_in, 2 * _WORD, len(tokens), *tokens)
    if len(swap.fees) == 1:
        return QUOTE_SINGLE + _words(*tokens, swap.amount_in, swap.fees[0], 0)
    path = packed_path(swap)
    padding = bytes(-len(path) % _WORD)
    return QUOTE_PATH + _words(2 * _WORD, swap.amount_in, len(path)) + path + padding


def packed_path(swap: Swap) -> bytes:
    """V3 path: tokens with a 3-byte fee between each two."""
    packed = bytes.fromhex(swap.path[0][2:])
    for fee, token in zip(swap.fees, swap.path[1:], strict=True):
        packed += fee.to_bytes(3, "big") + bytes.fromhex(token[2:])
    return packed


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(_WORD, "big") for value in values)


def _amount_out(swap: Swap, answer: bytes) -> int | None:
    if not answer:
        return None  # no contract at that address
    words = [int.from_bytes(answer[at : at + _WORD], "big") for at in range(0, len(answer), _WORD)]
    if len(answer) % _WORD:
        raise ValueError(f"{len(answer)} bytes are no ABI words")
    if swap.venue is SwapVenue.UNISWAP_SWAP_ROUTER02:
        return words[0]
    # uint256[]: offset, length, one amount per token of the path.
    if words[:2] != [_WORD, len(swap.path)] or len(words) != 2 + len(swap.path):
        raise ValueError("amounts that do not match the path")
    if words[2] != swap.amount_in:
        raise ValueError("amounts of another input")
    return words[-1]


def _is_revert(error: RpcError) -> bool:
    return error.code == _EXECUTION_REVERTED or "revert" in error.message.lower()
