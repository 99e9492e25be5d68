"""Balances and allowances over JSON-RPC. Believes no answer of the wrong shape."""

from signer.adapters.evm_rpc.hexadecimal import data as hex_data
from signer.adapters.evm_rpc.hexadecimal import quantity
from signer.adapters.json_rpc.transport import Json, JsonRpc, RpcError
from signer.domain.accounts import Address
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason

BALANCE_OF = bytes.fromhex("70a08231")
"""ERC-20 `balanceOf(address)`."""
ALLOWANCE = bytes.fromhex("dd62ed3e")
"""ERC-20 `allowance(address,address)`."""

_WORD = 32
_FALSE = bytes(_WORD)


class EvmHoldings:
    """`Holdings` of one chain."""

    def __init__(self, rpc: JsonRpc) -> None:
        self._rpc = rpc

    async def native_balance(self, owner: Address, block_number: int) -> int:
        """Native coin, wei."""
        try:
            return quantity(await self._rpc.call("eth_getBalance", owner, hex(block_number)))
        except RpcError as error:
            raise self._refused(error) from None
        except ValueError as error:
            raise self._rpc.nonsense("eth_getBalance", str(error)) from None

    async def token_balance(self, token: Address, owner: Address, block_number: int) -> int:
        """ERC-20 `balanceOf`, base units; 0 where there is no contract."""
        return await self._uint(token, BALANCE_OF + _word(owner), block_number)

    async def allowance(self, token: Address, owner: Address, spender: Address, block_number: int) -> int:
        """ERC-20 `allowance`, base units; 0 where there is no contract."""
        return await self._uint(token, ALLOWANCE + _word(owner) + _word(spender), block_number)

    async def gas_needed(self, sender: Address, to: Address, data: bytes) -> int | None:
        """Gas that the call would take now; None when the node says that it would fail.

        A token that answers false moves nothing and does not revert (EIP-20 lets it): that fails, too.
        """
        request: dict[str, Json] = {"from": sender, "to": to, "data": f"0x{data.hex()}"}
        try:
            gas = quantity(await self._rpc.call("eth_estimateGas", request, "latest"))
            answer = hex_data(await self._rpc.call("eth_call", request, "latest"))
        except RpcError:
            return None
        except ValueError as error:
            raise self._rpc.nonsense("eth_estimateGas", str(error)) from None
        return None if answer == _FALSE else gas

    async def _uint(self, token: Address, calldata: bytes, block_number: int) -> int:
        request: dict[str, Json] = {"to": token, "data": f"0x{calldata.hex()}"}
        try:
            answer = hex_data(await self._rpc.call("eth_call", request, hex(block_number)))
        except RpcError as error:
            raise self._refused(error) from None
        except ValueError as error:
            raise self._rpc.nonsense("eth_call", str(error)) from None
        if not answer:
            return 0
        if len(answer) != _WORD:
            raise self._rpc.nonsense("eth_call", f"{len(answer)} bytes of {token} are no amount")
        return int.from_bytes(answer, "big")

    def _refused(self, error: RpcError) -> UnavailableError:
        return UnavailableError(FailReason.CHAIN_UNREACHABLE, f"node {self._rpc.host}: {error}")


def _word(address: Address) -> bytes:
    return bytes.fromhex(address[2:]).rjust(_WORD, b"\0")
