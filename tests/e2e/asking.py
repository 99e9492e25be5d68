"""The signer asked directly, as a client of its own making would. Refuses to retry."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc
import grpc.aio

from protos.airlock.signer.v1 import signer_pb2 as pb
from protos.airlock.signer.v1 import signer_pb2_grpc as rpc
from protos.airlock.signer.v1 import types_pb2 as types
from tests.fakes import calldata, wire
from tests.testbed.signer_program import GWEI, SignerFiles
from tests.testbed.uniswap import ETHER, USDX_UNIT

TIMEOUT_S = 60
GAS_LIMIT = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """One connection to the signer."""

    files: SignerFiles
    stub: "rpc.SignerAsyncStub"

    async def sign(self, request: pb.SignEvmTransactionRequest) -> pb.SignEvmTransactionResponse:
        return await self.stub.SignEvmTransaction(request, timeout=TIMEOUT_S)

    def sign_soon(
        self, request: pb.SignEvmTransactionRequest
    ) -> "asyncio.Task[pb.SignEvmTransactionResponse]":
        """Ask, and go on: a person has to answer first."""
        return asyncio.create_task(self.sign(request))

    async def used(self, resource: str) -> list[int]:
        """What the rolling limits of a resource have used."""
        budget = await self.stub.GetBudget(pb.GetBudgetRequest(account=self.files.account), timeout=TIMEOUT_S)
        return [int(line.used) for line in budget.lines if line.resource == resource]

    async def all_used(self) -> set[int]:
        """Every figure of the budget."""
        budget = await self.stub.GetBudget(pb.GetBudgetRequest(account=self.files.account), timeout=TIMEOUT_S)
        return {int(line.used) for line in budget.lines}

    async def state(self) -> pb.Account:
        """The first account, as its client sees it."""
        answer = await self.stub.ListAccounts(pb.ListAccountsRequest(), timeout=TIMEOUT_S)
        return answer.accounts[0]


@contextlib.asynccontextmanager
async def asking(files: SignerFiles, *, identity: str = "trader") -> AsyncIterator[Asker]:
    """With one of the certificates in the signer's folder."""
    async with wire.channel(f"127.0.0.1:{files.port}", files.pki, identity) as connection:
        yield Asker(files=files, stub=wire.signer_stub(connection))


def swap(
    files: SignerFiles, key: str, *, amount: int = USDX_UNIT, recipient: str | None = None
) -> pb.SignEvmTransactionRequest:
    """A V2 swap of USDX into ABC that the policy allows now."""
    world, now_ms = files.world, time.time_ns() // 1_000_000
    minimum_out = amount * ETHER // USDX_UNIT * 498 // 1_000
    data = calldata.swap_exact_tokens_for_tokens(
        amount, minimum_out, (world.usdx, world.abc), recipient or files.address, now_ms // 1_000 + 60
    )
    return pb.SignEvmTransactionRequest(
        idempotency_key=key.ljust(16, "_"),
        account=files.account,
        transaction=types.EvmTransaction(
            to=world.v2_router,
            value_wei="0",
            data=data,
            gas_limit=GAS_LIMIT,
            max_fee_per_gas_wei=str(20 * GWEI),
            max_priority_fee_per_gas_wei=str(GWEI),
        ),
        claim=types.Claim(
            swap=types.SwapClaim(
                token_in=world.usdx,
                token_out=world.abc,
                amount_in=str(amount),
                minimum_out=str(minimum_out),
                quoted_out=str(minimum_out),
                quote_time_unix_ms=now_ms,
            )
        ),
    )


async def refusal(files: SignerFiles, request: pb.SignEvmTransactionRequest) -> grpc.aio.AioRpcError:
    """The error of a request that must not be signed."""
    async with asking(files) as asker:
        try:
            await asker.sign(request)
        except grpc.aio.AioRpcError as error:
            return error
    raise AssertionError("it was signed")
