"""A client of the signer with the trader's certificate: quotes, asks, broadcasts. Presses no button."""

import asyncio
import itertools
import time
from dataclasses import dataclass, field

import grpc.aio

from protos.airlock.signer.v1 import signer_pb2 as pb
from protos.airlock.signer.v1 import signer_pb2_grpc as rpc
from protos.airlock.signer.v1 import types_pb2 as types
from tests.fakes import calldata
from tests.testbed.anvil import Anvil
from tests.testbed.processes import until
from tests.testbed.signer_program import GWEI
from tests.testbed.uniswap import World

TIMEOUT_S = 120
DEADLINE_S = 110
SLIPPAGE_BPS = 30
BPS = 10_000

Signing = asyncio.Task[pb.SignEvmTransactionResponse]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Trades USDX for ABC on Uniswap V2, from the accounts of one wallet."""

    stub: "rpc.SignerAsyncStub"
    chain: Anvil
    world: World
    wallet: str
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def choose(self, amount: int) -> pb.ChooseAccountResponse:
        """Which account would sign a trade of this size."""
        request = pb.ChooseAccountRequest(
            wallet=self.wallet,
            chain=f"eip155:{self.world.chain_id}",
            token_in=self.world.usdx,
            amount_in=str(amount),
        )
        return await self.stub.ChooseAccount(request, timeout=TIMEOUT_S)

    async def swap(self, account: str, amount: int) -> Signing:
        """Quote, and ask for the signature; it is on its way when this returns."""
        return self.sign(await self.quoted(account, amount))

    def sign(self, request: pb.SignEvmTransactionRequest) -> Signing:
        """Ask for the signature."""
        return asyncio.ensure_future(self._signed(request))

    async def until_allowed(self, account: str, amount: int) -> None:
        """Wait until the signer would sign such a swap: it believes a block for a moment."""

        async def allowed() -> bool:
            return await self.would_sign(await self.quoted(account, amount))

        await until(allowed, what="such a swap is allowed")

    async def until_denied(self, request: pb.SignEvmTransactionRequest) -> None:
        """Wait until the signer would not sign it any more."""

        async def denied() -> bool:
            return not await self.would_sign(request)

        await until(denied, what="the swap is denied")

    async def would_sign(self, request: pb.SignEvmTransactionRequest) -> bool:
        """What the policy says to it now."""
        asked = pb.EvaluateRequest(account=request.account, evm=request.transaction, claim=request.claim)
        verdict = (await self.stub.Evaluate(asked, timeout=TIMEOUT_S)).verdict
        return verdict == pb.EvaluateResponse.VERDICT_APPROVED

    async def quoted(self, account: str, amount: int) -> pb.SignEvmTransactionRequest:
        """Request for a swap at today's price."""
        quoted = await self._quote(amount)
        minimum_out = quoted * (BPS - SLIPPAGE_BPS) // BPS
        now_ms, path = time.time_ns() // 1_000_000, (self.world.usdx, self.world.abc)
        claim = types.SwapClaim(
            token_in=self.world.usdx,
            token_out=self.world.abc,
            amount_in=str(amount),
            minimum_out=str(minimum_out),
            quoted_out=str(quoted),
            quote_time_unix_ms=now_ms,
        )
        data = calldata.swap_exact_tokens_for_tokens(
            amount, minimum_out, path, address_of(account), now_ms // 1_000 + DEADLINE_S
        )
        return self._request(account, self.world.v2_router, data, types.Claim(swap=claim))

    def approve(self, account: str, amount: int) -> Signing:
        """Ask for an allowance of USDX to the router."""
        claim = types.ApproveClaim(token=self.world.usdx, spender=self.world.v2_router, amount=str(amount))
        data = calldata.approve(self.world.v2_router, amount)
        request = self._request(account, self.world.usdx, data, types.Claim(approve=claim))
        return self.sign(request)

    async def settled(self, signing: Signing) -> str:
        """Broadcast what was signed; its hash, once a block has it and it did not revert."""
        answer = await signing
        await self.chain.rpc("eth_sendRawTransaction", "0x" + answer.raw_transaction.hex())

        async def included() -> bool:
            return await self.chain.rpc("eth_getTransactionReceipt", answer.transaction_hash) is not None

        await until(included, what=f"{answer.transaction_hash} is mined")
        receipt = await self.chain.receipt(answer.transaction_hash)
        assert receipt["status"] == "0x1", f"{answer.transaction_hash} reverted"
        return answer.transaction_hash

    async def holds(self, account: str) -> int:
        """ABC of an account."""
        return await self.chain.uint(self.world.abc, "balanceOf(address)", address_of(account))

    async def _quote(self, amount: int) -> int:
        path = [self.world.usdx, self.world.abc]
        (amounts,) = await self.chain.call(
            self.world.v2_router, "getAmountsOut(uint256,address[])", amount, path, returns="(uint256[])"
        )
        assert isinstance(amounts, tuple | list)
        return int(amounts[-1])

    def _request(
        self, account: str, to: str, data: bytes, claim: types.Claim
    ) -> pb.SignEvmTransactionRequest:
        return pb.SignEvmTransactionRequest(
            idempotency_key=f"demo-hardware-{next(self._numbers):06d}",
            account=account,
            transaction=types.EvmTransaction(
                to=to,
                value_wei="0",
                data=data,
                gas_limit=200_000,
                max_fee_per_gas_wei=str(20 * GWEI),
                max_priority_fee_per_gas_wei=str(GWEI),
            ),
            claim=claim,
        )

    async def _signed(self, request: pb.SignEvmTransactionRequest) -> pb.SignEvmTransactionResponse:
        return await self.stub.SignEvmTransaction(request, timeout=TIMEOUT_S)


async def refused(signing: Signing) -> grpc.aio.AioRpcError:
    """The error of a request that must not be signed."""
    try:
        await signing
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("it was signed")


def address_of(account: str) -> str:
    """Address part of CAIP-10."""
    return account.rpartition(":")[2]
